"""Jobs, for their owners: submit, read, wait, list, cancel, retry."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any
from uuid import UUID

from loguru import logger
from pydantic import BaseModel
from sqlalchemy.exc import SQLAlchemyError

from api.cursors import CursorSigner, scope_of
from api.lane_watch import LaneWatch
from api.references import References
from api.waiter import JobWaiter
from common.database.direct import DirectPool
from common.database.model import Attempt, Job
from common.database.session import Sessions
from common.errors import InvalidError
from common.queue.bulk import BulkCancelled, BulkQueue, BulkRetried
from common.queue.catalog import Catalog
from common.queue.client import Cancelled, JobQueue, SubmitOptions, Submitted
from common.queue.definition import AnyJobKind
from common.queue.status import JobStatus
from common.queue.waiting import Lanes, WaitReason, find_wait
from common.repository.idempotency import RequestKey
from common.repository.job import JobRepository, Owner, Reach, WholeTenant
from common.repository.job_filter import JobFilter

_PAYLOAD = ("body", "payload")
_OF_QUEUE = (WaitReason.QUEUE, WaitReason.CONCURRENCY)


@dataclass(frozen=True, slots=True)
class Page:
    """Jobs, and the cursor of those after them."""

    jobs: Sequence[Job]
    next_cursor: str | None


class JobService:
    """Every method acts for `owner` and treats what is not within reach as missing."""

    def __init__(
        self,
        sessions: Sessions,
        direct: DirectPool,
        jobs: JobRepository,
        queue: JobQueue,
        bulk: BulkQueue,
        catalog: Catalog,
        waiter: JobWaiter,
        cursors: CursorSigner,
        lanes: LaneWatch,
        references: References,
    ) -> None:
        self._references = references
        self._sessions = sessions
        self._direct = direct
        self._jobs = jobs
        self._queue = queue
        self._bulk = bulk
        self._catalog = catalog
        self._waiter = waiter
        self._cursors = cursors
        self._lanes = lanes

    def list_kinds(self) -> list[AnyJobKind]:
        """The kinds that can be submitted."""
        return self._catalog.public()

    async def submit(
        self, kind: str, payload: BaseModel, owner: Owner, options: SubmitOptions, key: RequestKey | None
    ) -> Submitted:
        """Accept a job, or answer with the one that stands for it.

        Raises what `JobQueue.accept` raises, and `InvalidError` when it names what is not the owner's.
        """
        await self._references.check(payload, owner)
        return await self._queue.accept(self._catalog.get_kind(kind), payload, owner=owner, options=options, key=key)

    async def get(self, job_id: UUID, owner: Reach) -> Job:
        """The job, without its payload. Raises `NotFoundError`, or `GoneError` for a purged one."""
        if (job := await self._jobs.read(self._direct, job_id, owner)) is not None:
            return job
        async with self._sessions() as db:
            return await self._jobs.get(db, job_id, owner, with_payload=False)

    async def find_lanes(self, *jobs: Job) -> Lanes | None:
        """What may hold up the queues of these jobs; not looked at when none of them waits for its queue."""
        waits = (find_wait(job, datetime.now(UTC)) for job in jobs)
        is_up_to_queue = any(wait is not None and wait.reason in _OF_QUEUE for wait in waits)
        return await self._lanes.look() if is_up_to_queue else None

    async def get_whole(self, job_id: UUID, owner: Reach) -> Job:
        """The job with its payload. Raises as `get`."""
        async with self._sessions() as db:
            return await self._jobs.get(db, job_id, owner)

    async def wait_until(self, job_id: UUID, owner: Reach, limit: timedelta, is_done: Callable[[Job], bool]) -> Job:
        """The job as soon as `is_done` says so, or as it is after `limit`. Raises `NotFoundError`."""
        deadline = monotonic() + limit.total_seconds()
        async with self._waiter.watch(job_id) as watch:
            while True:
                job = await self.get(job_id, owner)
                if is_done(job) or not await watch.wait_change(deadline - monotonic()):
                    return job

    async def wait_after_submit(self, job: Job, owner: Owner, limit: timedelta) -> Job:
        """Like `wait_until` it has ended, but an accepted job stays accepted: the job as it was if reading fails."""
        try:
            return await self.wait_until(job.id, owner, limit, has_ended)
        except (SQLAlchemyError, OSError) as error:
            logger.warning("Cannot wait for the job", job_id=job.id, error=type(error).__name__)
            return job

    async def list_page(self, owner: Owner, wanted: JobFilter, cursor: str | None, *, everybody: bool = False) -> Page:
        """One page, newest first; with `everybody` of the whole tenant.

        Raises `InvalidError` for a cursor of another owner or filter.
        """
        scope = f"{scope_of(wanted)}{'*' if everybody else ''}"
        reach = WholeTenant(owner.tenant_id) if everybody else owner
        before_id = None if cursor is None else self._cursors.read(owner.user_id, cursor, scope)
        async with self._sessions() as db:
            found = await self._jobs.list_page(db, reach, replace(wanted, before_id=before_id, limit=wanted.limit + 1))
        jobs, has_more = found[: wanted.limit], len(found) > wanted.limit
        return Page(jobs, self._cursors.sign(owner.user_id, jobs[-1].id, scope) if has_more else None)

    async def list_attempts(self, job_id: UUID, owner: Reach) -> list[Attempt]:
        """The ended attempts, oldest first. Raises `NotFoundError`."""
        await self.get(job_id, owner)
        async with self._sessions() as db:
            return await self._jobs.list_attempts(db, job_id)

    async def cancel(self, job_id: UUID, owner: Reach) -> Cancelled:
        """Stop a job. Raises `NotFoundError`, or `ConflictError` when it ended in another way."""
        return await self._queue.cancel(job_id, owner)

    async def retry(self, job_id: UUID, owner: Reach, payload: dict[str, Any] | None) -> Job:
        """Queue an ended job again, with another payload when given.

        Raises `NotFoundError`, `ConflictError` when it cannot be retried, pydantic's `ValidationError` for a payload
        that is not of the job's kind, and `InvalidError` for one that names what is not its owner's or that only the
        system may write.
        """
        if payload is None:
            return await self._queue.retry(job_id, owner)
        job = await self.get(job_id, owner)
        kind = self._catalog.get_kind(job.kind)
        if kind.internal:
            raise InvalidError(f"{kind.name} jobs are the system's: they are retried as they are", path=_PAYLOAD)
        changed = kind.payload.model_validate(payload)
        await self._references.check(changed, Owner(job.tenant_id, job.owner_id))
        return await self._queue.retry(job_id, owner, payload=changed)

    async def cancel_many(self, owner: Owner, wanted: JobFilter) -> BulkCancelled:
        """Stop the queued and running jobs that match, at most MAX_BULK_JOBS."""
        return await self._bulk.cancel(owner, wanted)

    async def retry_many(self, owner: Owner, wanted: JobFilter) -> BulkRetried:
        """Queue the failed jobs that match again, at most MAX_BULK_JOBS."""
        return await self._bulk.retry(owner, wanted)


def has_ended(job: Job) -> bool:
    """Whether the job will not change any more, unless its owner retries it."""
    return JobStatus(job.status).is_terminal
