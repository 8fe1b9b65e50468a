"""What a user's clients hear without subscribing: `job:update`, the lifecycle of all of the user's jobs.

The rule that keeps the two apart: `job:event` comes only to subscribers of that job, complete and replayable;
`job:update` comes to every client of the owner, carries the same object for `job.*` types only, and is not replayed.
Whoever listens to both gets each fact once under each name.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Self
from uuid import UUID

from loguru import logger

from api.audience import Audience
from api.event_bus import EventBus
from common.events import Event, user_room

_MAX_PENDING = 5000


class UserUpdates:
    """Updates for the users who are connected to this process. `async with updates:` starts it."""

    def __init__(self, bus: EventBus, clients: Audience) -> None:
        self._bus = bus
        self._clients = clients
        self._users: Counter[UUID] = Counter()
        self._pending: asyncio.Queue[Event | None] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._bus.add_listener(self)
        self._task = asyncio.create_task(self._run(), name="user-updates")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def count_clients(self, user_id: UUID) -> int:
        """How many clients of the user are connected to this process."""
        return self._users[user_id]

    async def enter(self, sid: str, user_id: UUID) -> None:
        """Let a client that is being accepted hear its user's updates."""
        self._users[user_id] += 1
        await self._clients.admit(sid, user_room(user_id))

    def leave(self, user_id: UUID) -> None:
        """One client of the user is gone."""
        self._users[user_id] -= 1
        if self._users[user_id] <= 0:
            del self._users[user_id]

    def on_events(self, events: Sequence[Event]) -> None:
        """Part of `BusListener`."""
        for event in events:
            if event.owner_id in self._users and event.type.startswith("job."):
                self._put(event)

    def on_gap(self) -> None:
        """Part of `BusListener`. Updates are not numbered, so everybody is told to read the list again."""
        if self._users:
            self._put(None)

    def _put(self, event: Event | None) -> None:
        if self._pending.qsize() >= _MAX_PENDING:
            while not self._pending.empty():
                self._pending.get_nowait()
            event = None
        self._pending.put_nowait(event)

    async def _run(self) -> None:
        while True:
            event = await self._pending.get()
            try:
                if event is None:
                    await self._clients.send(None, "job:resync", {"reason": "updates may have been missed"})
                else:
                    await self._clients.send(user_room(event.owner_id), "job:update", event.public())
                    self._clients.drop_slow(self._clients.members(user_room(event.owner_id)))
            except Exception:
                logger.exception("A user's update was not sent")
