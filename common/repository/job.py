"""Queries about jobs from the owner's side: insert, read, list, cancel. Every query names the tenant and owner."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from pydantic_core import from_json, to_json
from sqlalchemy import Text, TextClause, Uuid, select
from sqlalchemy.orm import class_mapper, defer
from sqlalchemy.orm.attributes import set_committed_value

from common.database.model import Attempt, Job, JobResult
from common.errors import GoneError, NotFoundError
from common.queue.status import JobStatus
from common.repository.job_filter import JobFilter, conditions
from common.repository.sql import INTERVALS, INTS, TEXTS, TIMES, UUIDS, Executor, execute, statement


@dataclass(frozen=True, slots=True)
class Owner:
    """Who a job belongs to."""

    tenant_id: UUID
    user_id: UUID


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job that is about to be inserted. `payload_json` is the validated payload."""

    id: UUID
    owner: Owner
    kind: str
    queue: str
    payload_json: str
    max_attempts: int
    timeout: timedelta
    priority: int = 0
    run_at: datetime | None = None
    delay: timedelta = timedelta(0)
    expires_in: timedelta | None = None
    request_id: str | None = None
    tags: tuple[str, ...] = ()
    metadata: dict[str, Any] | None = None
    limits: Mapping[str, int] = field(default_factory=dict)
    batch_id: UUID | None = None
    custom_id: str | None = None
    pending_after: int = 0


# The submitter publishes a hint itself, so the dispatcher's first look comes later.
_INSERT = statement(
    """
    INSERT INTO jobs (id, tenant_id, owner_id, kind, queue, payload, max_attempts, timeout, priority,
                      run_at, rank_at, expires_at, dispatch_no, next_dispatch_at, request_id, tags, metadata,
                      limit_keys, limit_values, batch_id, custom_id, pending_after)
    SELECT v.id, v.tenant_id, v.owner_id, v.kind, v.queue, v.payload::jsonb, v.max_attempts, v.timeout, v.priority,
           due.run_at, due.run_at - v.priority * interval '1 minute', now() + v.expires_in, 1,
           due.run_at + interval '10 seconds', v.request_id,
           ARRAY(SELECT jsonb_array_elements_text(v.tags::jsonb)), v.metadata::jsonb,
           CASE WHEN v.limits IS NOT NULL THEN ARRAY(SELECT key FROM jsonb_each_text(v.limits::jsonb)) END,
           CASE WHEN v.limits IS NOT NULL THEN ARRAY(SELECT value::int FROM jsonb_each_text(v.limits::jsonb)) END,
           v.batch_id, v.custom_id, v.pending_after
    FROM unnest(:ids, :tenants, :owners, :kinds, :queues, :payloads, :max_attempts, :timeouts, :priorities,
                :run_ats, :delays, :expires_ins, :request_ids, :tags, :metadata, :limits,
                :batch_ids, :custom_ids, :pending_afters)
         AS v(id, tenant_id, owner_id, kind, queue, payload, max_attempts, timeout, priority,
              run_at, delay, expires_in, request_id, tags, metadata, limits, batch_id, custom_id, pending_after)
    CROSS JOIN LATERAL (SELECT greatest(coalesce(v.run_at, now() + v.delay), now()) AS run_at) AS due
    RETURNING id, run_at, rank_at, expires_at, next_dispatch_at, created_at, updated_at
    """,
    ids=UUIDS,
    tenants=UUIDS,
    owners=UUIDS,
    kinds=TEXTS,
    queues=TEXTS,
    payloads=TEXTS,
    max_attempts=INTS,
    timeouts=INTERVALS,
    priorities=INTS,
    run_ats=TIMES,
    delays=INTERVALS,
    expires_ins=INTERVALS,
    request_ids=TEXTS,
    tags=TEXTS,
    metadata=TEXTS,
    limits=TEXTS,
    batch_ids=UUIDS,
    custom_ids=TEXTS,
    pending_afters=INTS,
)

_LOCK = statement(
    "SELECT FROM jobs WHERE id = :id AND tenant_id = :tenant AND owner_id = :owner FOR NO KEY UPDATE",
    id=Uuid(),
    tenant=Uuid(),
    owner=Uuid(),
)

_CANCEL_QUEUED = statement(
    """
    UPDATE jobs SET status = 'cancelled', cancel_requested_at = now(), finished_at = now(), updated_at = now(),
                    waiting = NULL, error = '{"code": "cancelled", "message": "cancelled before it started"}'
    WHERE id = :id AND tenant_id = :tenant AND owner_id = :owner AND status = 'queued'
    RETURNING id
    """,
    id=Uuid(),
    tenant=Uuid(),
    owner=Uuid(),
)

_CANCEL_RUNNING = statement(
    """
    UPDATE jobs SET cancel_requested_at = coalesce(cancel_requested_at, now()), updated_at = now()
    WHERE id = :id AND tenant_id = :tenant AND owner_id = :owner AND status = 'running'
    RETURNING id
    """,
    id=Uuid(),
    tenant=Uuid(),
    owner=Uuid(),
)

_RETRY = statement(
    """
    UPDATE jobs SET status = 'queued', payload = coalesce(CAST(:payload AS jsonb), payload),
                    failures = 0, crashes = 0, error = NULL, result = NULL, progress = NULL,
                    cancel_requested_at = NULL, finished_at = NULL, started_at = NULL, expires_at = NULL,
                    run_at = now(), rank_at = now() - priority * interval '1 minute', updated_at = now(),
                    dispatch_no = dispatch_no + 1, next_dispatch_at = now() + interval '10 seconds', waiting = NULL
    WHERE id = :id AND tenant_id = :tenant AND owner_id = :owner AND status IN ('failed', 'cancelled', 'expired')
    RETURNING id
    """,
    id=Uuid(),
    tenant=Uuid(),
    owner=Uuid(),
    payload=Text(),
)


_WAS_PURGED = statement(
    "SELECT EXISTS (SELECT FROM purged_jobs WHERE id = :id AND tenant_id = :tenant AND owner_id = :owner)",
    id=Uuid(),
    tenant=Uuid(),
    owner=Uuid(),
)


class JobRepository:
    """The owner's view of jobs."""

    async def insert(self, db: Executor, jobs: Sequence[NewJob]) -> list[Job]:
        """Insert `jobs` in one statement and return their rows, in order."""
        result = await execute(db, _INSERT, _columns(jobs))
        stamps = {row["id"]: row for row in result.mappings()}
        return [_row(job, stamps[job.id]) for job in jobs]

    async def find(
        self, db: Executor, job_id: UUID, owner: Owner, *, with_payload: bool = True, refresh: bool = False
    ) -> Job | None:
        """The job, or None when there is none or it is somebody else's; `refresh` reads again what was read before."""
        query = select(Job).where(Job.id == job_id, Job.tenant_id == owner.tenant_id, Job.owner_id == owner.user_id)
        if not with_payload:
            query = query.options(defer(Job.payload, raiseload=True))
        if refresh:
            query = query.execution_options(populate_existing=True)
        job = (await db.execute(query)).scalar_one_or_none()
        if job is not None and job.is_result_apart:
            result = select(JobResult.result).where(JobResult.job_id == job.id)
            set_committed_value(job, "result", (await db.execute(result)).scalar_one_or_none())
        return job

    async def find_many(self, db: Executor, ids: Sequence[UUID], owner: Owner) -> dict[UUID, Job]:
        """Those of `ids` that are the owner's, without payloads and results."""
        query = select(Job).options(defer(Job.payload, raiseload=True), defer(Job.result, raiseload=True))
        query = query.where(Job.id.in_(ids), Job.tenant_id == owner.tenant_id, Job.owner_id == owner.user_id)
        return {job.id: job for job in (await db.execute(query)).scalars()}

    async def get(self, db: Executor, job_id: UUID, owner: Owner, *, with_payload: bool = True) -> Job:
        """As `find`. Raises `NotFoundError`, or `GoneError` when retention has removed the job."""
        job = await self.find(db, job_id, owner, with_payload=with_payload)
        if job is not None:
            return job
        if await self.was_purged(db, job_id, owner):
            raise GoneError(f"job {job_id} was purged")
        raise NotFoundError(f"job {job_id} does not exist")

    async def was_purged(self, db: Executor, job_id: UUID, owner: Owner) -> bool:
        """Whether this was a job of the owner that retention has removed."""
        return bool((await execute(db, _WAS_PURGED, _of(job_id, owner))).scalar_one())

    async def list_page(self, db: Executor, owner: Owner, wanted: JobFilter) -> list[Job]:
        """One page of the owner's jobs, newest first, without payloads and results."""
        query = select(Job).options(defer(Job.payload, raiseload=True), defer(Job.result, raiseload=True))
        query = query.where(Job.tenant_id == owner.tenant_id, Job.owner_id == owner.user_id, *conditions(wanted))
        query = query.order_by(Job.id.desc()).limit(wanted.limit)
        return list((await db.execute(query)).scalars())

    async def list_attempts(self, db: Executor, job_id: UUID) -> list[Attempt]:
        """The ended attempts of a job whose owner was checked, oldest first."""
        query = select(Attempt).where(Attempt.job_id == job_id).order_by(Attempt.attempt)
        return list((await db.execute(query)).scalars())

    async def lock(self, db: Executor, job_id: UUID, owner: Owner) -> None:
        """Let nobody move the job until the transaction ends, so that two looks at it agree."""
        await execute(db, _LOCK, {"id": job_id, "tenant": owner.tenant_id, "owner": owner.user_id})

    async def cancel_queued(self, db: Executor, job_id: UUID, owner: Owner) -> bool:
        """Cancel a job that has not started. False when it is not queued (any more)."""
        return await self._touch(db, _CANCEL_QUEUED, job_id, owner)

    async def request_cancel(self, db: Executor, job_id: UUID, owner: Owner) -> bool:
        """Record that a running job shall stop. False when it is not running (any more)."""
        return await self._touch(db, _CANCEL_RUNNING, job_id, owner)

    async def retry(self, db: Executor, job_id: UUID, owner: Owner, *, payload_json: str | None = None) -> bool:
        """Queue an ended job again with fresh budgets; its attempt number goes on counting."""
        values = {**_of(job_id, owner), "payload": payload_json}
        return (await execute(db, _RETRY, values)).first() is not None

    async def _touch(self, db: Executor, clause: TextClause, job_id: UUID, owner: Owner) -> bool:
        return (await execute(db, clause, _of(job_id, owner))).first() is not None


def _of(job_id: UUID, owner: Owner) -> dict[str, UUID]:
    return {"id": job_id, "tenant": owner.tenant_id, "owner": owner.user_id}


def _columns(jobs: Sequence[NewJob]) -> dict[str, list[Any]]:
    return {
        "ids": [j.id for j in jobs],
        "tenants": [j.owner.tenant_id for j in jobs],
        "owners": [j.owner.user_id for j in jobs],
        "kinds": [j.kind for j in jobs],
        "queues": [j.queue for j in jobs],
        "payloads": [j.payload_json for j in jobs],
        "max_attempts": [j.max_attempts for j in jobs],
        "timeouts": [j.timeout for j in jobs],
        "priorities": [j.priority for j in jobs],
        "run_ats": [j.run_at for j in jobs],
        "delays": [j.delay for j in jobs],
        "expires_ins": [j.expires_in for j in jobs],
        "request_ids": [j.request_id for j in jobs],
        "tags": [to_json(j.tags).decode() for j in jobs],
        "batch_ids": [j.batch_id for j in jobs],
        "custom_ids": [j.custom_id for j in jobs],
        "pending_afters": [j.pending_after for j in jobs],
        "limits": [to_json(j.limits).decode() if j.limits else None for j in jobs],
        "metadata": [None if j.metadata is None else to_json(j.metadata).decode() for j in jobs],
    }


def _row(job: NewJob, stamps: Any) -> Job:
    """The row as it was inserted. Filled like a loaded one: the constructor would record thirty changes a job."""
    row = class_mapper(Job).class_manager.new_instance()
    row.__dict__.update(
        tenant_id=job.owner.tenant_id,
        owner_id=job.owner.user_id,
        kind=job.kind,
        queue=job.queue,
        status=JobStatus.QUEUED,
        payload=from_json(job.payload_json),
        priority=job.priority,
        attempt=0,
        failures=0,
        crashes=0,
        max_attempts=job.max_attempts,
        timeout=job.timeout,
        dispatch_no=1,
        request_id=job.request_id,
        tags=list(job.tags),
        annotations=job.metadata,
        batch_id=job.batch_id,
        custom_id=job.custom_id,
        pending_after=job.pending_after,
        has_dependants=False,
        is_result_apart=False,
        **stamps,
    )
    return row
