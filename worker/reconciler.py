"""Makes Redis agree with the rows and takes the jobs of dead workers back. Every worker can lead; one does."""

import asyncio
from datetime import timedelta
from secrets import token_hex
from time import monotonic

from arq.connections import ArqRedis
from loguru import logger
from redis import RedisError

from common.database.outage import DATABASE_ERRORS
from common.database.session import Sessions
from common.errors import LockLostError
from common.events import EventType, NewEvent
from common.lock import RedisLock
from common.queue.hints import Hint, HintQueue
from common.queue.status import JobStatus
from common.redis import RedisKeys
from common.repository.attempt import DueJob
from common.repository.upkeep import MovedJob, UpkeepRepository
from worker.dependants import Dependants
from worker.event_writer import EventWriter
from worker.lease import LeaseKeeper
from worker.purger import Purger

_LOCK = "reconciler"
_LOCK_SECONDS = 2.0  # so soon somebody else leads when the leader dies
_TICK = 0.5
_BROKER_CHECK = 0.9
_BATCH = 500
_TYPES = {
    JobStatus.QUEUED: EventType.RETRYING,
    JobStatus.FAILED: EventType.FAILED,
    JobStatus.CANCELLED: EventType.CANCELLED,
    JobStatus.EXPIRED: EventType.EXPIRED,
}


class Reconciler:
    """The leader's loop. The lock only saves work: guards and SKIP LOCKED keep two leaders correct."""

    def __init__(
        self,
        sessions: Sessions,
        upkeep: UpkeepRepository,
        redis: ArqRedis,
        keys: RedisKeys,
        lock: RedisLock,
        hints: HintQueue,
        events: EventWriter,
        dependants: Dependants,
        purger: Purger,
        *,
        max_crashes: int,
        lease: timedelta,
    ) -> None:
        self._sessions = sessions
        self._upkeep = upkeep
        self._redis = redis
        self._keys = keys
        self._lock = lock
        self._hints = hints
        self._events = events
        self._dependants = dependants
        self._purger = purger
        self._max_crashes = max_crashes
        self._grace = lease.total_seconds()
        self._silent_until = 0.0
        self._next_broker_check = 0.0

    async def run(self, keeper: LeaseKeeper) -> None:
        """Lead whenever the lock is free, until cancelled. With Redis away everybody does the work."""
        while True:
            try:
                async with self._lock.lock(_LOCK, ttl=_LOCK_SECONDS, auto_renew=True) as acquired:
                    while acquired:
                        await self._try_tick(keeper)
                        await asyncio.sleep(_TICK)
            except LockLostError:
                logger.info("Another worker leads now")
            except (RedisError, OSError, TimeoutError):
                await self._try_tick(keeper)
            await asyncio.sleep(_TICK)

    async def _try_tick(self, keeper: LeaseKeeper) -> None:
        if not keeper.is_valid:
            return
        try:
            await self.tick(may_end_leases=keeper.healthy_for > self._grace)
        except DATABASE_ERRORS as error:
            self._warn("PostgreSQL is away; upkeep waits: {}", error)

    async def tick(self, *, may_end_leases: bool) -> None:
        """One round. Leases of others may end only when our own contact with the database had no gap."""
        await self._check_broker()
        async with self._sessions.begin() as db:
            if may_end_leases and (dead := await self._upkeep.end_expired_leases(db)):
                logger.warning("Workers lost their lease: count={}", len(dead))
            reaped = await self._upkeep.reap(db, limit=_BATCH, max_crashes=self._max_crashes)
            moved = reaped + await self._upkeep.expire(db, limit=_BATCH)
            moved += await self._upkeep.end_cancelled(db, limit=_BATCH)
        for job in moved:
            self._tell(job)
        await self._publish([_hint(job) for job in reaped if job.status is JobStatus.QUEUED])
        await self._dependants.sweep()
        await self._dispatch()
        await self._purger.tick()

    async def _check_broker(self) -> None:
        """A missing epoch means that Redis lost its memory: every waiting row is dispatched again."""
        if monotonic() < self._next_broker_check:
            return
        self._next_broker_check = monotonic() + _BROKER_CHECK
        try:
            is_new = await self._redis.set(self._keys.broker_epoch, token_hex(8), nx=True)
        except (RedisError, OSError, TimeoutError):
            return
        if is_new:
            try:
                async with self._sessions.begin() as db:
                    count = await self._upkeep.dispatch_all(db)
            except BaseException:
                await self._redis.delete(self._keys.broker_epoch)
                raise
            if count:
                logger.warning("Redis was empty; waiting jobs are dispatched again: count={}", count)

    async def _dispatch(self) -> None:
        """Write the hints that are missing. Publish first, mark second: the failure mode is a double hint.

        One batch a tick while nothing is missing, so that a long backlog costs little; a lost Redis is refilled at
        once.
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
        except (RedisError, OSError, TimeoutError) as error:
            self._warn("Redis is away; workers claim from PostgreSQL: {}", error)
            return None

    def _tell(self, job: MovedJob) -> None:
        is_queued = job.status is JobStatus.QUEUED
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
    return Hint(job.id, job.owner_id, job.kind, job.queue, job.priority, job.run_at, job.dispatch_no)
