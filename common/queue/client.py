"""Submitting and steering jobs: the row first, then a hint to Redis after the commit."""

import asyncio
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy.exc import DBAPIError

from common.config import CommonSettings
from common.database.direct import DirectPool
from common.database.model import Job
from common.database.outage import is_refused_value
from common.database.session import Sessions
from common.errors import AppError, ConflictError, InvalidError, TooLargeError
from common.ids import new_id
from common.queue.announcer import Announcer
from common.queue.definition import AnyJobKind, JobKind
from common.queue.depth import DepthGate
from common.queue.group_commit import GroupCommit
from common.queue.limits import limits_of
from common.queue.options import OnFailure, SubmitOptions, Unique, UniqueMode
from common.queue.placement import Placed
from common.queue.status import JobStatus
from common.queue.submission import NewItem, Replayed, Submission, SubmittedBatch, is_plain
from common.repository.idempotency import RequestKey
from common.repository.job import JobRepository, NewJob, Owner, Reach
from common.tracing.messaging import sending
from common.tracing.tracer import Tracer

__all__ = [
    "CancelOutcome",
    "CancelWay",
    "Cancelled",
    "JobQueue",
    "OnFailure",
    "SubmitItem",
    "SubmitOptions",
    "Submitted",
    "Unique",
    "UniqueMode",
]

_GATHER = 16
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")  # PostgreSQL keeps every character of JSON but this one


class CancelOutcome(StrEnum):
    """When a cancel took or takes effect."""

    CANCELLED = "cancelled"
    REQUESTED = "requested"


class CancelWay(StrEnum):
    """How a cancel that is written on the row becomes true."""

    ROW = "row"
    """The job was waiting: with its row it is cancelled."""
    HINT = "hint"
    """Its worker was told through Redis, just now."""
    HEARTBEAT = "heartbeat"
    """Nobody heard the hint: its worker reads it with its next heartbeat, or the reaper finds it."""


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The answer to a cancel: the job as it is now, whether it has stopped already, and what will stop it."""

    job: Job
    outcome: CancelOutcome
    way: CancelWay


@dataclass(frozen=True, slots=True)
class Submitted:
    """The answer to a submit. The job may be one that was there: for the same unique key, or the same request.

    `announcement` is done when workers were told of the job; nobody needs to wait for that, it goes on by itself.
    """

    job: Job
    is_deduplicated: bool = False
    is_replayed: bool = False
    announcement: asyncio.Future[None] | None = None


@dataclass(frozen=True, slots=True)
class SubmitItem:
    """One job of a batch. With `refusal` it is not accepted, and this is its outcome."""

    kind: AnyJobKind
    payload: BaseModel
    options: SubmitOptions = field(default_factory=SubmitOptions)
    refusal: AppError | None = None


class JobQueue:
    """The one way in for jobs, used by the api, the scheduler and handlers alike."""

    def __init__(
        self,
        sessions: Sessions,
        direct: DirectPool,
        jobs: JobRepository,
        submission: Submission,
        depth: DepthGate,
        announcer: Announcer,
        settings: CommonSettings,
        tracer: Tracer | None = None,
    ) -> None:
        self._sessions = sessions
        self._direct = direct
        self._jobs = jobs
        self._submission = submission
        self._depth = depth
        self._announcer = announcer
        self._settings = settings
        self._tracer = tracer
        self._inserts = GroupCommit(self._insert, gather=_GATHER)

    async def submit[P: BaseModel, R: BaseModel](
        self, kind: JobKind[P, R], payload: P, *, owner: Owner, options: SubmitOptions | None = None
    ) -> Job:
        """Accept a job: when this returns, it is a committed row. `status` is `queued`.

        Raises `TooLargeError` when the payload is over MAX_PAYLOAD_BYTES, `InvalidError` when it cannot be stored or
        a dependency does not exist, `UnavailableError` or `RateLimitedError` when too many jobs wait. Redis being away
        is no error.
        """
        submitted = await self.accept(kind, payload, owner=owner, options=options)
        if submitted.announcement is not None:
            await asyncio.shield(submitted.announcement)
        return submitted.job

    async def accept[P: BaseModel, R: BaseModel](
        self,
        kind: JobKind[P, R],
        payload: P,
        *,
        owner: Owner,
        options: SubmitOptions | None = None,
        key: RequestKey | None = None,
    ) -> Submitted:
        """As `submit`, and tell whether the job is new. With `key`, a repeated request gets the first one's job.

        Raises besides `KeyReusedError` for another content, `BusyError` while the first request is under way, and
        `GoneError` when its job was purged.
        """
        options = options or SubmitOptions()
        with sending(self._tracer, kind.queue) as traceparent:
            new = self._new_job(kind, payload, owner, options, traceparent)
            await self._depth.admit(owner, {kind.queue: 1})
            if key is None and is_plain(options):
                return await self._insert_plain(new)
            outcome = await self._submission.submit(new, options, key)
        if isinstance(outcome, Replayed):
            return Submitted(outcome.job, is_replayed=True)
        await self._announce_placed([outcome])
        return Submitted(outcome.job, is_deduplicated=not outcome.is_new)

    async def submit_many(
        self,
        items: Sequence[SubmitItem],
        *,
        owner: Owner,
        metadata: Mapping[str, Any] | None = None,
        key: RequestKey | None = None,
    ) -> SubmittedBatch:
        """Accept jobs together, in one transaction; an item that cannot be accepted has its error as its outcome.

        Raises `InvalidError` for more than MAX_BATCH_ITEMS, and what `accept` raises for keys and full queues.
        """
        if len(items) > (limit := self._settings.max_batch_items):
            raise InvalidError(f"MAX_BATCH_ITEMS allows {limit} jobs, not {len(items)}", path=("body", "jobs"))
        await self._depth.admit(owner, Counter(item.kind.queue for item in items))
        with sending(self._tracer, "batch", jobs=len(items)) as traceparent:
            wanted = [self._new_item(item, owner, traceparent) for item in items]
            batch = await self._submission.submit_many(wanted, owner, metadata=metadata, key=key)
        if not batch.is_replayed:
            await self._announce_placed([item for item in batch.items if isinstance(item, Placed)])
        return batch

    async def cancel(self, job_id: UUID, owner: Reach) -> Cancelled:
        """Stop a job: at once when it is queued, as a durable request when it runs.

        Raises `NotFoundError`, `GoneError`, or `ConflictError` when it ended in another way already.
        """
        async with self._sessions.begin() as db:
            await self._jobs.lock(db, job_id, owner)
            stopped = await self._jobs.cancel_queued(db, job_id, owner)
            requested = not stopped and await self._jobs.request_cancel(db, job_id, owner)
            job = await self._jobs.get(db, job_id, owner)
        if not (stopped or requested or job.status == JobStatus.CANCELLED):
            raise ConflictError(f"job {job_id} has ended as {job.status} and cannot be cancelled")
        if stopped:
            await self._announcer.cancelled([job])
        if not requested:
            return Cancelled(job, CancelOutcome.CANCELLED, CancelWay.ROW)
        was_heard = await self._announcer.cancelling([job])
        return Cancelled(job, CancelOutcome.REQUESTED, CancelWay.HINT if was_heard else CancelWay.HEARTBEAT)

    async def retry(self, job_id: UUID, owner: Reach, *, payload: BaseModel | None = None) -> Job:
        """Queue a failed, cancelled or expired job again with fresh budgets, and with another payload when given.

        The payload must be of the job's kind. Raises `NotFoundError`, `GoneError`, `ConflictError` when the job has
        not ended or succeeded, and what `submit` raises for payloads.
        """
        payload_json = None if payload is None else self._dump(payload)
        with _refusing_values():
            async with self._sessions.begin() as db:
                requeued = await self._jobs.retry(db, job_id, owner, payload_json=payload_json)
                job = await self._jobs.get(db, job_id, owner)
        if not requeued:
            raise ConflictError(f"job {job_id} is {job.status}; only failed, cancelled or expired jobs can be retried")
        await self._announcer.announce(job)
        return job

    def prepare[P: BaseModel, R: BaseModel](
        self, kind: JobKind[P, R], payload: P, *, owner: Owner, options: SubmitOptions | None = None
    ) -> NewJob:
        """The job that a submit would write, for those who write it in a transaction of their own.

        Raises `TooLargeError` or `InvalidError`.
        """
        return self._new_job(kind, payload, owner, options or SubmitOptions())

    def _new_item(self, item: SubmitItem, owner: Owner, traceparent: str | None) -> NewItem | AppError:
        if item.refusal is not None:
            return item.refusal
        try:
            return self._new_job(item.kind, item.payload, owner, item.options, traceparent), item.options
        except AppError as error:
            return error

    def _new_job(
        self, kind: AnyJobKind, payload: BaseModel, owner: Owner, options: SubmitOptions, traceparent: str | None = None
    ) -> NewJob:
        if len(options.after) > (limit := self._settings.max_dependencies):
            raise InvalidError(f"MAX_DEPENDENCIES allows {limit} jobs to wait for", path=("body", "after"))
        return NewJob(
            id=new_id(),
            owner=owner,
            kind=kind.name,
            queue=kind.queue,
            payload_json=self._dump(payload),
            max_attempts=options.max_attempts or kind.retry.max_attempts,
            timeout=options.timeout or kind.timeout,
            priority=options.priority,
            run_at=options.run_at,
            delay=options.delay,
            expires_in=options.expires_in,
            request_id=options.request_id,
            traceparent=traceparent,
            tags=options.tags,
            metadata=options.metadata,
            limits=limits_of(kind, owner.user_id, options.concurrency, self._settings.max_running_per_owner),
            custom_id=options.custom_id,
        )

    def _dump(self, payload: BaseModel) -> str:
        payload_json = payload.model_dump_json(exclude_unset=True)
        if _NUL.search(payload_json):
            raise InvalidError("text must not contain the character U+0000", path=("body", "payload"))
        if (size := len(payload_json.encode())) > (limit := self._settings.max_payload_bytes):
            raise TooLargeError(f"the payload has {size} bytes; MAX_PAYLOAD_BYTES allows {limit}")
        return payload_json

    async def _insert_plain(self, new: NewJob) -> Submitted:
        with _refusing_values():
            return await self._inserts.submit(new)

    async def _insert(self, jobs: Sequence[NewJob]) -> list[Submitted]:
        inserted = await self._jobs.insert(self._direct, jobs)
        announcement = self._announcer.begin(inserted)
        return [Submitted(job, announcement=announcement) for job in inserted]

    async def _announce_placed(self, placed: Sequence[Placed]) -> None:
        """Say what is new or changed, and let workers look at rows that were locked meanwhile."""
        jobs = {each.job.id: each.job for each in placed if each.is_new or each.is_changed}
        await self._announcer.announce_many(list(jobs.values()))
        await self._announcer.hint([hint for each in placed for hint in each.hints])


@contextmanager
def _refusing_values() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        if not is_refused_value(error):
            raise
        message = "the payload holds text or numbers that cannot be stored"
        raise InvalidError(message, path=("body", "payload")) from error
