"""Telling Redis what PostgreSQL has committed; what fails here, the dispatcher mends."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from arq.connections import ArqRedis
from loguru import logger
from redis import RedisError

from common.database.model import Job
from common.events import EventLog, EventType, NewEvent
from common.metrics.job_metrics import JobMetrics
from common.queue.hints import Hint, HintQueue
from common.redis import RedisKeys, run_scripts

_BATCH = 500
_SMALL_BATCH = 100
_FIRST_DISPATCH = 1  # what is queued again has a higher number


class Announcer:
    """Publishes events and hints. Nothing here raises: Redis being away is no error.

    Each round trip is given up after `limit`, for every hundred jobs.
    """

    def __init__(
        self,
        hints: HintQueue,
        events: EventLog,
        redis: ArqRedis,
        keys: RedisKeys,
        metrics: JobMetrics,
        limit: timedelta,
    ) -> None:
        self._hints = hints
        self._events = events
        self._redis = redis
        self._keys = keys
        self._metrics = metrics
        self._limit = limit.total_seconds()
        self._under_way: set[asyncio.Task[None]] = set()

    async def announce(self, job: Job) -> None:
        """Say that a job is queued, and let a worker look at it if it may start."""
        await self.announce_many([job])

    def begin(self, jobs: Sequence[Job]) -> asyncio.Task[None]:
        """Begin to announce jobs.

        It goes on by itself and soon ends, whatever Redis does; shield it where it is awaited.
        """
        announcement = asyncio.Task(
            self.announce_many(jobs), loop=asyncio.get_running_loop(), name="announcement", eager_start=True
        )
        if not announcement.done():
            self._under_way.add(announcement)
            announcement.add_done_callback(self._under_way.discard)
        return announcement

    async def announce_many(self, jobs: Sequence[Job]) -> None:
        """As `announce`, in few round trips."""
        self._metrics.submitted(job for job in jobs if job.dispatch_no == _FIRST_DISPATCH)
        for start in range(0, len(jobs), _BATCH):
            await self._announce(jobs[start : start + _BATCH])

    async def hint(self, hints: Sequence[Hint]) -> None:
        """Let workers look at jobs that they may have passed over while the rows were locked."""
        if not hints:
            return
        try:
            async with asyncio.timeout(self._limit):
                await self._hints.enqueue(hints)
        except (RedisError, OSError, TimeoutError):
            logger.debug("Redis is away; jobs wait for the dispatcher")

    async def cancelled(self, jobs: Sequence[Job]) -> None:
        """Say that queued jobs were cancelled."""
        for job in jobs:
            self._metrics.finished(job, job.status)
        if jobs:
            await self._append([_event(job, EventType.CANCELLED, {"error": job.error}) for job in jobs])

    async def cancelling(self, jobs: Sequence[Job]) -> set[UUID]:
        """Tell the workers of running jobs to stop them. Those jobs whose worker heard it; the others' will read it."""
        if not jobs:
            return set()
        try:
            async with asyncio.timeout(self._limit):
                pipe = self._redis.pipeline(transaction=False)
                for job in jobs:
                    pipe.publish(self._keys.control_channel(job.lease_owner or ""), str(job.id))
                listeners = await pipe.execute()
        except (RedisError, OSError, TimeoutError):
            logger.warning("Redis is away; the worker learns of the cancel with its next heartbeat")
            return set()
        await self._append([_event(job, EventType.CANCELLING, {}) for job in jobs])
        return {job.id for job, count in zip(jobs, listeners, strict=True) if count}

    async def _announce(self, jobs: Sequence[Job]) -> None:
        hints = [_hint(job) for job in jobs if job.pending_after == 0]
        queued = [_event(job, EventType.QUEUED, {"kind": job.kind, "run_at": job.run_at}) for job in jobs]
        calls = [self._events.appending(queued)] + ([self._hints.enqueuing(hints)] if hints else [])
        try:
            async with asyncio.timeout(self._limit * max(1, len(jobs) / _SMALL_BATCH)):
                numbers, *_ = await run_scripts(self._redis, *calls)
        except (RedisError, OSError, TimeoutError) as error:
            logger.warning("Redis is away; jobs wait for the dispatcher: {}", type(error).__name__)
        else:
            self._events.appended(numbers)

    async def _append(self, events: Sequence[NewEvent]) -> None:
        if self._under_way:
            await asyncio.wait(self._under_way)  # no job is said to be queued after its end
        try:
            async with asyncio.timeout(self._limit):
                await self._events.append(events)
        except (RedisError, OSError, TimeoutError):
            logger.warning("Redis is away; events were not published: count={}", len(events))


def _hint(job: Job) -> Hint:
    due = job.run_at if job.run_at > job.updated_at else None
    return Hint(job.id, job.owner_id, job.kind, job.queue, job.priority, due, job.dispatch_no)


def _event(job: Job, event_type: EventType, data: dict[str, Any]) -> NewEvent:
    return NewEvent(job.id, job.owner_id, event_type, job.attempt, data)
