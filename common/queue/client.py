"""Submitting and steering jobs: the row first, then a hint to Redis after the commit."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from arq.connections import ArqRedis
from loguru import logger
from pydantic import BaseModel
from redis import RedisError

from common.database.model import Job
from common.database.session import Sessions
from common.errors import ConflictError, InvalidError, NotFoundError, TooLargeError
from common.events import EventLog, EventType, NewEvent
from common.ids import new_id
from common.queue.definition import AnyJobKind, JobKind
from common.queue.group_commit import GroupCommit
from common.queue.hints import Hint, HintQueue
from common.queue.limits import ConcurrencyLimit, limits_of
from common.queue.status import JobStatus
from common.redis import RedisKeys, run_scripts
from common.repository.job import JobRepository, NewJob, Owner

_ENQUEUE_LIMIT = 0.25
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")  # PostgreSQL keeps every character of JSON but this one


@dataclass(frozen=True, slots=True)
class SubmitOptions:
    """What may differ from one job of a kind to the next; None means the kind's own value.

    `priority` is a head start in minutes (-100 to 100); `run_at` or `delay` says when to start; a job not started
    within `expires_in` ends as expired.
    """

    priority: int = 0
    run_at: datetime | None = None
    delay: timedelta = timedelta(0)
    expires_in: timedelta | None = None
    max_attempts: int | None = None
    timeout: timedelta | None = None
    tags: tuple[str, ...] = ()
    metadata: dict[str, Any] | None = None
    request_id: str | None = None
    concurrency: ConcurrencyLimit | None = None


class CancelOutcome(StrEnum):
    """When a cancel took or takes effect."""

    CANCELLED = "cancelled"
    REQUESTED = "requested"


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The answer to a cancel: the job as it is now, and whether it has stopped already."""

    job: Job
    outcome: CancelOutcome


class JobQueue:
    """The one way in for jobs, used by the api, the scheduler and handlers alike."""

    def __init__(
        self,
        sessions: Sessions,
        jobs: JobRepository,
        hints: HintQueue,
        events: EventLog,
        redis: ArqRedis,
        keys: RedisKeys,
        *,
        max_payload_bytes: int,
        max_running_per_owner: int = 0,
    ) -> None:
        self._sessions = sessions
        self._jobs = jobs
        self._hints = hints
        self._events = events
        self._redis = redis
        self._keys = keys
        self._max_payload_bytes = max_payload_bytes
        self._max_running_per_owner = max_running_per_owner
        self._inserts = GroupCommit(self._insert)
        self._announcements = GroupCommit(self._announce)

    async def submit[P: BaseModel, R: BaseModel](
        self, kind: JobKind[P, R], payload: P, *, owner: Owner, options: SubmitOptions | None = None
    ) -> Job:
        """Accept a job: when this returns, it is a committed row. `status` is `queued`.

        Raises `TooLargeError` when the payload is over MAX_PAYLOAD_BYTES, `InvalidError` when it cannot be stored.
        Redis being away is no error.
        """
        job = await self._inserts.submit(self._new_job(kind, payload, owner, options or SubmitOptions()))
        await self._announcements.submit(job)
        return job

    async def cancel(self, job_id: UUID, owner: Owner) -> Cancelled:
        """Stop a job: at once when it is queued, as a durable request when it runs.

        Raises `NotFoundError`, or `ConflictError` when it ended in another way already.
        """
        async with self._sessions.begin() as db:
            await self._jobs.lock(db, job_id, owner)
            stopped = await self._jobs.cancel_queued(db, job_id, owner)
            requested = not stopped and await self._jobs.request_cancel(db, job_id, owner)
            job = await self._jobs.find(db, job_id, owner)
        if job is None:
            raise NotFoundError(f"job {job_id} does not exist")
        if not (stopped or requested or job.status == JobStatus.CANCELLED):
            raise ConflictError(f"job {job_id} has ended as {job.status} and cannot be cancelled")
        if stopped:
            await self._emit(job, EventType.CANCELLED, {"error": job.error})
        if requested:
            await self._hint_cancel(job)
        return Cancelled(job, CancelOutcome.REQUESTED if requested else CancelOutcome.CANCELLED)

    async def retry(self, job_id: UUID, owner: Owner) -> Job:
        """Queue a failed, cancelled or expired job again with fresh budgets.

        Raises `NotFoundError`, or `ConflictError` when the job has not ended or succeeded.
        """
        async with self._sessions.begin() as db:
            requeued = await self._jobs.retry(db, job_id, owner)
            job = await self._jobs.find(db, job_id, owner)
        if job is None:
            raise NotFoundError(f"job {job_id} does not exist")
        if not requeued:
            raise ConflictError(f"job {job_id} is {job.status}; only failed, cancelled or expired jobs can be retried")
        await self._announcements.submit(job)
        return job

    def _new_job(self, kind: AnyJobKind, payload: BaseModel, owner: Owner, options: SubmitOptions) -> NewJob:
        payload_json = payload.model_dump_json(exclude_unset=True)
        if _NUL.search(payload_json):
            raise InvalidError("text must not contain the character U+0000", path=("body", "payload"))
        if (size := len(payload_json.encode())) > self._max_payload_bytes:
            limit = self._max_payload_bytes
            raise TooLargeError(f"the payload has {size} bytes; MAX_PAYLOAD_BYTES allows {limit}")
        return NewJob(
            id=new_id(),
            owner=owner,
            kind=kind.name,
            queue=kind.queue,
            payload_json=payload_json,
            max_attempts=options.max_attempts or kind.retry.max_attempts,
            timeout=options.timeout or kind.timeout,
            priority=options.priority,
            run_at=options.run_at,
            delay=options.delay,
            expires_in=options.expires_in,
            request_id=options.request_id,
            tags=options.tags,
            metadata=options.metadata,
            limits=limits_of(kind, owner.user_id, options.concurrency, self._max_running_per_owner),
        )

    async def _insert(self, jobs: Sequence[NewJob]) -> list[Job]:
        async with self._sessions.begin() as db:
            return await self._jobs.insert(db, jobs)

    async def _announce(self, jobs: Sequence[Job]) -> Sequence[None]:
        """Tell Redis, within 250 ms; what fails here is mended by the dispatcher."""
        hints = [_hint(job) for job in jobs]
        queued = [_event(job, EventType.QUEUED, {"kind": job.kind, "run_at": job.run_at}) for job in jobs]
        try:
            async with asyncio.timeout(_ENQUEUE_LIMIT):
                await run_scripts(self._redis, self._events.appending(queued), self._hints.enqueuing(hints))
        except (RedisError, OSError, TimeoutError) as error:
            logger.warning("Redis is away; jobs wait for the dispatcher: {}", type(error).__name__)
        return [None] * len(jobs)

    async def _hint_cancel(self, job: Job) -> None:
        try:
            async with asyncio.timeout(_ENQUEUE_LIMIT):
                await self._redis.publish(self._keys.control_channel(job.lease_owner or ""), str(job.id))
                await self._events.append([_event(job, EventType.CANCELLING, {})])
        except (RedisError, OSError, TimeoutError):
            logger.warning("Redis is away; the worker learns of the cancel with its next heartbeat")

    async def _emit(self, job: Job, event_type: EventType, data: dict[str, Any]) -> None:
        try:
            async with asyncio.timeout(_ENQUEUE_LIMIT):
                await self._events.append([_event(job, event_type, data)])
        except (RedisError, OSError, TimeoutError):
            logger.warning("Redis is away; {} was not published", str(event_type))


def _hint(job: Job) -> Hint:
    due = job.run_at if job.run_at > job.updated_at else None
    return Hint(job.id, job.owner_id, job.kind, job.queue, job.priority, due, job.dispatch_no)


def _event(job: Job, event_type: EventType, data: dict[str, Any]) -> NewEvent:
    return NewEvent(job.id, job.owner_id, event_type, job.attempt, data)
