"""Ends of attempts: grouped into one statement, then told to Redis. The row decides which ends count."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from loguru import logger
from pydantic_core import from_json
from redis import RedisError

from common.database.direct import DirectPool
from common.database.outage import DATABASE_ERRORS, is_refused_value
from common.events import EventType, NewEvent
from common.queue.group_commit import GroupCommit
from common.queue.hints import Hint, HintQueue
from common.queue.status import ErrorCode, JobStatus
from common.repository.attempt import AttemptRepository, ClaimedJob, Ended, Verdict
from common.repository.limit import LimitRepository
from worker import verdicts
from worker.dependants import Dependants
from worker.metrics import WorkerMetrics

_STORES_AWAY: tuple[type[Exception], ...] = (RedisError, *DATABASE_ERRORS)
_INLINE_RESULT = 32 * 1024
_TYPES = {
    JobStatus.QUEUED: EventType.RETRYING,
    JobStatus.SUCCEEDED: EventType.SUCCEEDED,
    JobStatus.FAILED: EventType.FAILED,
    JobStatus.CANCELLED: EventType.CANCELLED,
}


class Finisher:
    """Writes verdicts. A verdict that the row refuses is dropped and counted: its attempt is outdated."""

    def __init__(
        self,
        direct: DirectPool,
        attempts: AttemptRepository,
        limits: LimitRepository,
        hints: HintQueue,
        put: Callable[[NewEvent], None],
        dependants: Dependants,
        metrics: WorkerMetrics,
    ) -> None:
        self._direct = direct
        self._attempts = attempts
        self._limits = limits
        self._hints = hints
        self._put = put
        self._dependants = dependants
        self._metrics = metrics
        # Jobs that were claimed together often end together: not the first of them alone, then the others.
        self._writes = GroupCommit(self._write, is_eager=False)

    async def finish(self, worker_id: UUID, job: ClaimedJob, verdict: Verdict) -> None:
        """Write one end and tell the listeners. Waits out a database that is away; the caller may cancel."""
        while True:
            try:
                accepted, ended = await self._writes.submit((worker_id, job, verdict))
                break
            except DATABASE_ERRORS as error:
                if not is_refused_value(error):
                    logger.warning("PostgreSQL is away; the end of the attempt waits: {}", type(error).__name__)
                    await asyncio.sleep(0.5)
                    continue
                message = "the result cannot be stored; it holds text that PostgreSQL does not accept"
                verdict = verdicts.failed(job, ErrorCode.INVALID_RESULT, message)
        if ended is None:
            self._metrics.stale_writes.add()
            logger.warning("Outdated attempt; its end was refused")
            return
        self._metrics.ended(job, accepted)
        await self._tell(job, accepted, ended)
        if ended.frees_others:
            await self._free_others(job.id)
        if job.limit_keys:
            await self._wake_next(job.limit_keys)

    async def _free_others(self, job_id: UUID) -> None:
        """Account the end to the jobs that wait for it; what fails here the reconciler sweeps."""
        try:
            await self._dependants.resolve([job_id])
        except DATABASE_ERRORS as error:
            logger.debug("The jobs that wait for this one are left to the reconciler: {}", type(error).__name__)

    async def _wake_next(self, limit_keys: Sequence[str]) -> None:
        """Somebody else may run now; without Redis or PostgreSQL the dispatcher finds it later."""
        try:
            due = await self._limits.next_in_line(self._direct, limit_keys)
            await self._hints.enqueue(
                [Hint(job.id, job.owner_id, job.kind, job.queue, job.priority, None, job.dispatch_no) for job in due]
            )
        except _STORES_AWAY:
            logger.debug("The next job of a limit waits for the dispatcher")

    async def _write(self, entries: Sequence[tuple[UUID, ClaimedJob, Verdict]]) -> list[tuple[Verdict, Ended | None]]:
        final = [verdict for _, _, verdict in entries]
        ended: dict[UUID, Ended] = {}
        for worker_id in {worker_id for worker_id, _, _ in entries}:
            mine = [verdict for owner, _, verdict in entries if owner == worker_id]
            ended |= await self._attempts.finish(self._direct, worker_id, mine)
        if len(ended) < len(entries):
            await self._settle_refused(entries, final, ended)
        return [(verdict, ended.get(verdict.job_id)) for verdict in final]

    async def _settle_refused(
        self,
        entries: Sequence[tuple[UUID, ClaimedJob, Verdict]],
        final: list[Verdict],
        ended: dict[UUID, Ended],
    ) -> None:
        """A cancel that came first turns the end into `cancelled`; an earlier write of ours counts."""
        for index, (worker_id, job, verdict) in enumerate(entries):
            if job.id in ended:
                continue
            look = (await self._attempts.look_at_refused(self._direct, worker_id, [verdict])).get(job.id)
            if look is None:
                continue
            if look.already_recorded is not None:
                ended[job.id] = look.already_recorded
            elif look.is_cancelling and verdict.status is not JobStatus.CANCELLED:
                final[index] = verdicts.cancelled(job)
                ended |= await self._attempts.finish(self._direct, worker_id, [final[index]])

    async def _tell(self, job: ClaimedJob, verdict: Verdict, ended: Ended) -> None:
        is_queued = verdict.status is JobStatus.QUEUED
        data = _event_data(job, verdict, ended)
        self._put(NewEvent(job.id, job.owner_id, _TYPES[verdict.status], job.attempt, data, ends_attempt=is_queued))
        if is_queued:
            try:
                due = ended.run_at if verdict.delay else None
                hint = Hint(job.id, job.owner_id, job.kind, job.queue, job.priority, due, ended.dispatch_no)
                await self._hints.enqueue([hint])
            except (RedisError, OSError, TimeoutError):
                logger.debug("Redis is away; the dispatcher will see to the next attempt")


def _event_data(job: ClaimedJob, verdict: Verdict, ended: Ended) -> dict[str, Any]:
    if verdict.status is JobStatus.QUEUED:
        return {"reason": verdict.outcome, "run_at": ended.run_at, "error": verdict.error}
    if verdict.status is not JobStatus.SUCCEEDED:
        return {"error": verdict.error}
    if verdict.result is None or len(verdict.result) > _INLINE_RESULT:
        return {"result_url": f"/api/v1/jobs/{job.id}"}
    return {"result": from_json(verdict.result)}
