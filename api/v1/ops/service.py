"""Steering queues and workers: for the operators of the installation."""

from uuid import UUID

from api.authenticator import Caller
from api.v1.ops.schema import QueueRead
from common.database.model import Role
from common.database.session import Sessions
from common.errors import ForbiddenError, NotFoundError
from common.queue.catalog import Catalog
from common.repository.fleet import FleetRepository, QueueService, WorkerState
from common.repository.queue import QueueRepository, QueueState
from common.repository.user import DEFAULT_TENANT_ID
from common.repository.worker import WorkerRepository

_NOBODY = QueueService(workers=0, slots=0)


class OpsService:
    """Workers serve every tenant, so only operators and admins of the installation's own tenant may steer them."""

    def __init__(
        self,
        sessions: Sessions,
        fleet: FleetRepository,
        queues: QueueRepository,
        workers: WorkerRepository,
        catalog: Catalog,
    ) -> None:
        self._sessions = sessions
        self._fleet = fleet
        self._queues = queues
        self._workers = workers
        self._known = frozenset(kind.queue for kind in catalog.values())

    async def list_queues(self, caller: Caller) -> list[QueueRead]:
        """Every queue of a kind, and every other that has jobs, workers or a decision about it."""
        _check(caller)
        async with self._sessions() as db:
            states = {state.name: state for state in await self._queues.list_states(db)}
            service = await self._fleet.list_service(db)
        names = sorted(self._known | states.keys() | service.keys())
        return [_describe(name, states.get(name), service.get(name, _NOBODY)) for name in names]

    async def set_paused(self, caller: Caller, name: str, *, is_paused: bool) -> None:
        """Stop or allow claims from a queue. Raises `NotFoundError` for one that nobody knows."""
        _check(caller)
        async with self._sessions.begin() as db:
            if name not in self._known and name not in {state.name for state in await self._queues.list_states(db)}:
                raise NotFoundError(f"queue {name} does not exist")
            await self._queues.set_paused(db, name, is_paused=is_paused)

    async def list_workers(self, caller: Caller) -> list[WorkerState]:
        """The workers that have not ended."""
        _check(caller)
        async with self._sessions() as db:
            return await self._fleet.list_workers(db)

    async def steer(
        self, caller: Caller, worker_id: UUID, *, is_paused: bool | None, concurrency: int | None
    ) -> WorkerState:
        """Pause, resume or resize a worker; it obeys at its next heartbeat. Raises `NotFoundError`."""
        _check(caller)
        async with self._sessions.begin() as db:
            is_there = await self._workers.steer(db, worker_id, is_draining=is_paused, concurrency=concurrency)
            found = [worker for worker in await self._fleet.list_workers(db) if worker.id == worker_id]
        if not (is_there and found):
            raise NotFoundError(f"worker {worker_id} does not exist, or has stopped")
        return found[0]


def _check(caller: Caller) -> None:
    if caller.role not in (Role.OPERATOR, Role.ADMIN) or caller.tenant_id != DEFAULT_TENANT_ID:
        raise ForbiddenError("only operators and admins of this installation may look at queues and workers")


def _describe(name: str, state: QueueState | None, service: QueueService) -> QueueRead:
    known = state or QueueState(name, is_paused=False, queued=0, running=0, oldest_at=None)
    return QueueRead(
        name=name,
        is_paused=known.is_paused,
        queued=known.queued,
        running=known.running,
        oldest_at=known.oldest_at,
        workers=service.workers,
        slots=service.slots,
    )
