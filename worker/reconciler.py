"""Makes Redis agree with the rows and takes the jobs of dead workers back. Every worker can lead; one does."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from secrets import token_hex
from time import monotonic

from arq.connections import ArqRedis
from loguru import logger
from redis import RedisError

from common.database.direct import DirectPool
from common.database.outage import DATABASE_ERRORS
from common.database.session import Sessions
from common.events import EventType, NewEvent
from common.queue.hints import Hint, HintQueue
from common.queue.status import JobStatus
from common.redis import RedisKeys
from common.repository.attempt import DueJob
from common.repository.paid_call import PaidCallRepository
from common.repository.upkeep import MovedJob, UpkeepRepository
from worker.dependants import Dependants
from worker.event_writer import EventWriter
from worker.leader import Leader
from worker.lease import LeaseKeeper
from worker.metrics import WorkerMetrics
from worker.purger import Purger

_TICK = 1.0
_THOROUGH = 10.0
_REFILL_SECONDS = 10
_BATCH = 500
_REDIS_AWAY = (RedisError, OSError, TimeoutError)
_TYPES = {
    JobStatus.QUEUED: EventType.RETRYING,
    JobStatus.FAILED: EventType.FAILED,
    JobStatus.CANCELLED: EventType.CANCELLED,
    JobStatus.EXPIRED: EventType.EXPIRED,
}


class Reconciler:
    """Looks each second whether there is something to do, in one command and one statement.

    Every worker takes jobs of the dead back and refills a lost Redis; the leader does the rest. The lock only saves
    work: guards and SKIP LOCKED keep two leaders correct.
    """

    def __init__(
        self,
        sessions: Sessions,
        direct: DirectPool,
        upkeep: UpkeepRepository,
        redis: ArqRedis,
        keys: RedisKeys,
        hints: HintQueue,
        events: EventWriter,
        dependants: Dependants,
        purger: Purger,
        paid_calls: PaidCallRepository,
        metrics: WorkerMetrics,
        *,
        queues: Sequence[str],
        on_waiting: Callable[[], None],
        max_crashes: int,
        lease: timedelta,
    ) -> None:
        self._sessions = sessions
        self._direct = direct
        self._queues = queues
        self._on_waiting = on_waiting
        self._upkeep = upkeep
        self._redis = redis
        self._keys = keys
        self._hints = hints
        self._events = events
        self._dependants = dependants
        self._purger = purger
        self._paid_calls = paid_calls
        self._metrics = metrics
        self._max_crashes = max_crashes
        self._grace = lease.total_seconds()
        self._silent_until = 0.0
        self._next_thorough = 0.0

    async def run(self, keeper: LeaseKeeper, leader: Leader) -> None:
        """Look each second, until cancelled."""
        while True:
            await self._try_tick(keeper, leader)
            await asyncio.sleep(_TICK)

    async def _try_tick(self, keeper: LeaseKeeper, leader: Leader) -> None:
        if not keeper.is_valid:
            return
        try:
            await self.tick(may_end_leases=keeper.healthy_for > self._grace, is_leading=leader.is_leading)
        except DATABASE_ERRORS as error:
            self._warn("PostgreSQL is away; upkeep waits: {}", error)

    async def tick(self, *, may_end_leases: bool, is_leading: bool = True) -> None:
        """One round. Leases of others may end only when our own contact with the database had no gap."""
        await self._look_at_redis()
        found = await self._upkeep.look(self._direct, is_leading=is_leading)
        is_thorough = is_leading and monotonic() >= self._next_thorough
        if (found.late_leases and may_end_leases) or found.orphans or found.over or is_thorough:
            self._next_thorough = monotonic() + _THOROUGH
            await self._move(may_end_leases=may_end_leases)
        if is_leading:
            if found.unresolved:
                await self._dependants.sweep()
            if found.due:
                await self._dispatch()
            if found.kept_back and (lost := await self._paid_calls.release_dead(self._direct, limit=_BATCH)):
                self._metrics.calls_lost.add(amount=lost)
            await self._purger.tick()

    async def _move(self, *, may_end_leases: bool) -> None:
        """Take the jobs of dead workers back, and end those that nobody may start any more."""
        async with self._sessions.begin() as db:
            if may_end_leases and (dead := await self._upkeep.end_expired_leases(db)):
                logger.warning("Workers lost their lease: count={}", len(dead))
                self._metrics.leases_expired.add(amount=len(dead))
            reaped = await self._upkeep.reap(db, limit=_BATCH, max_crashes=self._max_crashes)
            moved = reaped + await self._upkeep.expire(db, limit=_BATCH)
            moved += await self._upkeep.end_cancelled(db, limit=_BATCH)
        for job in reaped:
            self._metrics.crashed(job.kind)
        for job in moved:
            self._tell(job)
        await self._publish([_hint(job) for job in reaped if job.status is JobStatus.QUEUED])

    async def _look_at_redis(self) -> None:
        """Hints may wait that nobody heard of; a missing epoch means that Redis lost its memory."""
        try:
            look = await self._hints.look(self._queues)
            if look.is_waiting:
                self._on_waiting()
            if not look.has_memory:
                await self._refill()
        except _REDIS_AWAY as error:
            self._warn("Redis is away; workers claim from PostgreSQL: {}", error)

    async def _refill(self) -> None:
        """Hint at every waiting row again. A refill that dies is done again when its epoch runs out."""
        if not await self._redis.set(self._keys.broker_epoch, token_hex(8), nx=True, ex=_REFILL_SECONDS):
            return
        count = 0
        async with self._sessions() as db, aclosing(self._upkeep.waiting(db, batch=_BATCH)) as batches:
            async for jobs in batches:
                await self._hints.enqueue([_due_hint(job) for job in jobs])
                await self._redis.expire(self._keys.broker_epoch, _REFILL_SECONDS)
                count += len(jobs)
        await self._redis.persist(self._keys.broker_epoch)
        if count:
            logger.warning("Redis was empty; waiting jobs are dispatched again: count={}", count)

    async def _dispatch(self) -> None:
        """Write the hints that are missing. Publish first, mark second: the failure mode is a double hint.

        One batch a tick while nothing is missing, so that a long backlog costs little.
        """
        is_missing = True
        while is_missing:
            async with self._sessions.begin() as db:
                due = await self._upkeep.lock_due(db, limit=_BATCH)
                added = await self._publish([_due_hint(job) for job in due])
                if added is None:
                    return
                if due:
                    await self._upkeep.mark_dispatched(db, {job.id: new for job, new in zip(due, added, strict=True)})
            is_missing = len(due) == _BATCH and any(added)

    async def _publish(self, hints: list[Hint]) -> list[bool] | None:
        try:
            return await self._hints.enqueue(hints)
        except _REDIS_AWAY as error:
            self._warn("Redis is away; workers claim from PostgreSQL: {}", error)
            return None

    def _tell(self, job: MovedJob) -> None:
        is_queued = job.status is JobStatus.QUEUED
        if not is_queued:
            self._metrics.jobs.finished(job, job.status)
        data = {"reason": "crashed", "run_at": job.run_at} if is_queued else {"error": job.error}
        event = NewEvent(job.id, job.owner_id, _TYPES[job.status], job.attempt, data, ends_attempt=is_queued)
        self._events.put(event)

    def _warn(self, message: str, error: Exception) -> None:
        if monotonic() >= self._silent_until:
            self._silent_until = monotonic() + 10
            logger.warning(message, type(error).__name__)


def _due_hint(job: DueJob) -> Hint:
    return Hint(job.id, job.owner_id, job.kind, job.queue, job.priority, None, job.dispatch_no)


def _hint(job: MovedJob) -> Hint:
    due = job.run_at if job.run_at > datetime.now(UTC) else None
    return Hint(job.id, job.owner_id, job.kind, job.queue, job.priority, due, job.dispatch_no)
