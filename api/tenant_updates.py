"""What operators hear: `tenant:update`, the lifecycle of all jobs of their tenant, and `job:resync` after a gap."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

from loguru import logger

from api.audience import Audience
from api.event_bus import EventBus
from common.database.session import Sessions
from common.events import Event
from common.repository.user import UserRepository

_MAX_PENDING = 5000
_MAX_KNOWN = 100_000


def tenant_room(tenant_id: UUID | str) -> str:
    return f"tenant:{tenant_id}"


class TenantUpdates:
    """Delivers to the rooms of tenants. Events name their owner only; whose tenant that is, is looked up once."""

    def __init__(self, bus: EventBus, sessions: Sessions, users: UserRepository) -> None:
        self._bus = bus
        self._sessions = sessions
        self._users = users
        self._tenants: dict[UUID, UUID | None] = {}
        self._pending: asyncio.Queue[Event | None] = asyncio.Queue()
        self._operators: dict[str, UUID] = {}

    @asynccontextmanager
    async def serve(self, audience: Audience) -> AsyncIterator[None]:
        """Deliver to the operators of `audience` while the block runs."""
        self._bus.add_listener(self)
        task = asyncio.create_task(self._run(audience), name="tenant-updates")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def enter(self, audience: Audience, listener: str, tenant_id: UUID) -> None:
        """Let an operator hear the tenant's jobs."""
        self._operators[listener] = tenant_id
        await audience.enter_room(listener, tenant_room(tenant_id))

    async def leave(self, audience: Audience, listener: str) -> None:
        """Let it hear them no more; also when it is gone."""
        if (tenant_id := self._operators.pop(listener, None)) is not None:
            await audience.leave_room(listener, tenant_room(tenant_id))

    def forget(self, user_id: UUID) -> None:
        """Part of `RevocationListener`: the user may have moved to another tenant."""
        self._tenants.pop(user_id, None)

    def clear(self) -> None:
        """Part of `RevocationListener`."""
        self._tenants.clear()

    def on_events(self, events: Sequence[Event]) -> None:
        """Part of `BusListener`. Costs nothing while no operator listens."""
        for event in events if self._operators else ():
            if event.type.startswith("job."):
                self._put(event)

    def on_gap(self) -> None:
        """Part of `BusListener`. The clients are told as users, by `job:resync`."""

    def _put(self, event: Event) -> None:
        if self._pending.qsize() >= _MAX_PENDING:
            while not self._pending.empty():
                self._pending.get_nowait()
            self._pending.put_nowait(None)
        self._pending.put_nowait(event)

    async def _run(self, audience: Audience) -> None:
        while True:
            event = await self._pending.get()
            try:
                if event is not None:
                    await self._deliver(audience, event)
                    continue
                for listener in list(self._operators):
                    await audience.send(listener, "job:resync", {"reason": "updates may have been missed"})
            except Exception as error:
                logger.warning("Operators were not told of an event: {}", type(error).__name__)

    async def _deliver(self, audience: Audience, event: Event) -> None:
        room = tenant_room(await self._tenant_of(event.owner_id) or "")
        if members := audience.members(room):
            await audience.send(room, "tenant:update", {**event.public(), "owner_id": str(event.owner_id)})
            audience.drop_slow(members)

    async def _tenant_of(self, owner_id: UUID) -> UUID | None:
        if owner_id not in self._tenants:
            if len(self._tenants) >= _MAX_KNOWN:
                self._tenants.clear()
            async with self._sessions() as db:
                user = await self._users.find(db, owner_id)
            self._tenants[owner_id] = user.tenant_id if user else None
        return self._tenants[owner_id]
