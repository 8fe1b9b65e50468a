"""Steering queues and workers: for the operators of the installation."""

from datetime import timedelta
from uuid import UUID

from api.authenticator import Caller
from api.v1.ops.schema import QueueRead, WorkerChange
from common.database.model import Role
from common.database.session import Sessions
from common.errors import ForbiddenError, NotFoundError
from common.queue.catalog import Catalog
from common.repository.fleet import FleetRepository, QueueService, WorkerState
from common.repository.queue import QueueRepository, QueueState
from common.repository.user import DEFAULT_TENANT_ID
from common.repository.waiting import Throughput, WaitingRepository
from common.repository.worker import WorkerRepository

_NOBODY = QueueService(workers=0, slots=0)
_WINDOW = timedelta(minutes=5)
_MINUTE = 60


class OpsService:
    """Workers serve every tenant, so only operators and admins of the installation's own tenant may steer them."""

    def __init__(
        self,
        sessions: Sessions,
        fleet: FleetRepository,
        queues: QueueRepository,
        workers: WorkerRepository,
        waits: WaitingRepository,
        catalog: Catalog,
    ) -> None:
        self._sessions = sessions
        self._fleet = fleet
        self._queues = queues
        self._workers = workers
        self._waits = waits
        self._kinds = [kind.name for kind in catalog.values()]
        self._known = frozenset(kind.queue for kind in catalog.values())

    async def list_queues(self, caller: Caller) -> list[QueueRead]:
        """Every queue of a kind, and every other that has jobs, workers or a decision about it."""
        _check(caller)
        async with self._sessions() as db:
            states = {state.name: state for state in await self._queues.list_states(db)}
            service = await self._fleet.list_service(db)
            throughput = await self._waits.list_throughput(db, self._kinds, _WINDOW)
        names = sorted(self._known | states.keys() | service.keys())
        return [
            _describe(states.get(name) or _idle(name), service.get(name, _NOBODY), throughput.get(name))
            for name in names
        ]

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

    async def steer(self, caller: Caller, worker_id: UUID, change: WorkerChange) -> WorkerState:
        """Pause, drain, resume or resize a worker; it obeys at its next heartbeat. Raises `NotFoundError`."""
        _check(caller)
        is_draining = False if change.is_paused is False else change.is_draining
        async with self._sessions.begin() as db:
            is_there = await self._workers.steer(
                db,
                worker_id,
                is_draining=change.is_paused if is_draining is None else is_draining,
                hands_back=is_draining,
                concurrency=change.concurrency,
            )
            found = [worker for worker in await self._fleet.list_workers(db) if worker.id == worker_id]
        if not (is_there and found):
            raise NotFoundError(f"worker {worker_id} does not exist, or has stopped")
        return found[0]


def _check(caller: Caller) -> None:
    if caller.role not in (Role.OPERATOR, Role.ADMIN) or caller.tenant_id != DEFAULT_TENANT_ID:
        raise ForbiddenError("only operators and admins of this installation may look at queues and workers")


def _idle(name: str) -> QueueState:
    return QueueState(name, is_paused=False, queued=0, due=0, running=0, oldest_at=None)


def _describe(state: QueueState, service: QueueService, throughput: Throughput | None) -> QueueRead:
    return QueueRead(
        name=state.name,
        is_paused=state.is_paused,
        queued=state.queued,
        due=state.due,
        running=state.running,
        oldest_at=state.oldest_at,
        workers=service.workers,
        slots=service.slots,
        ended_per_minute=None if throughput is None else throughput.ended * _MINUTE,
        failed_per_minute=None if throughput is None else throughput.failed * _MINUTE,
        wait_estimate=_estimate(state, service, throughput),
    )


def _estimate(state: QueueState, service: QueueService, throughput: Throughput | None) -> float | None:
    if state.is_paused or not service.workers:
        return None
    if not state.due and state.running < service.slots:
        return 0.0
    return None if throughput is None else state.due / throughput.ended
