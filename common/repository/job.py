"""Queries about jobs from the owner's side: insert, read, list, cancel. Every query names the tenant and owner."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Text, TextClause, Uuid, select
from sqlalchemy.orm import defer
from sqlalchemy.orm.attributes import set_committed_value

from common.database.direct import DirectPool
from common.database.model import Attempt, Job, JobResult
from common.errors import GoneError, NotFoundError
from common.repository.job_filter import JobFilter, conditions
from common.repository.job_read import read_job
from common.repository.new_job import NewJob, Owner, insert_jobs
from common.repository.reach import Reach, WholeTenant, within
from common.repository.sql import AnyExecutor, Executor, execute, statement

__all__ = ["JobRepository", "NewJob", "Owner", "Reach", "WholeTenant"]


_LOCK = statement(
    "SELECT FROM jobs WHERE id = :id AND tenant_id = :tenant AND owner_id = coalesce(:owner, owner_id) "
    "FOR NO KEY UPDATE",
    id=Uuid(),
    tenant=Uuid(),
    owner=Uuid(),
)

_CANCEL_QUEUED = statement(
    """
    UPDATE jobs SET status = 'cancelled', cancel_requested_at = now(), finished_at = now(), updated_at = now(),
                    waiting = NULL, error = '{"code": "cancelled", "message": "cancelled before it started"}'
    WHERE id = :id AND tenant_id = :tenant AND owner_id = coalesce(:owner, owner_id) AND status = 'queued'
    RETURNING id
    """,
    id=Uuid(),
    tenant=Uuid(),
    owner=Uuid(),
)

_CANCEL_RUNNING = statement(
    """
    UPDATE jobs SET cancel_requested_at = coalesce(cancel_requested_at, now()), updated_at = now()
    WHERE id = :id AND tenant_id = :tenant AND owner_id = coalesce(:owner, owner_id) AND status = 'running'
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
    WHERE id = :id AND tenant_id = :tenant AND owner_id = coalesce(:owner, owner_id)
          AND status IN ('failed', 'cancelled', 'expired')
    RETURNING id
    """,
    id=Uuid(),
    tenant=Uuid(),
    owner=Uuid(),
    payload=Text(),
)


_WAS_PURGED = statement(
    "SELECT EXISTS (SELECT FROM purged_jobs WHERE id = :id AND tenant_id = :tenant "
    "AND owner_id = coalesce(:owner, owner_id))",
    id=Uuid(),
    tenant=Uuid(),
    owner=Uuid(),
)


class JobRepository:
    """The owner's view of jobs."""

    async def insert(self, db: AnyExecutor, jobs: Sequence[NewJob]) -> list[Job]:
        """Insert `jobs` in one statement and return their rows, in order."""
        return await insert_jobs(db, jobs)

    async def find(
        self, db: Executor, job_id: UUID, owner: Reach, *, with_payload: bool = True, refresh: bool = False
    ) -> Job | None:
        """The job, or None when there is none within reach; `refresh` reads again what was read before."""
        query = select(Job).where(Job.id == job_id, *within(Job, owner))
        if not with_payload:
            query = query.options(defer(Job.payload, raiseload=True))
        if refresh:
            query = query.execution_options(populate_existing=True)
        job = (await db.execute(query)).scalar_one_or_none()
        if job is not None and job.is_result_apart:
            result = select(JobResult.result).where(JobResult.job_id == job.id)
            set_committed_value(job, "result", (await db.execute(result)).scalar_one_or_none())
        return job

    async def read(self, db: DirectPool, job_id: UUID, owner: Reach) -> Job | None:
        """The whole job without its payload, in one round trip; None where `get` has to look closer."""
        job = await read_job(db, job_id, owner.tenant_id, owner.user_id)
        return None if job is None or job.is_result_apart else job

    async def find_many(self, db: Executor, ids: Sequence[UUID], owner: Owner) -> dict[UUID, Job]:
        """Those of `ids` that are the owner's, without payloads and results."""
        query = select(Job).options(defer(Job.payload, raiseload=True), defer(Job.result, raiseload=True))
        query = query.where(Job.id.in_(ids), Job.tenant_id == owner.tenant_id, Job.owner_id == owner.user_id)
        return {job.id: job for job in (await db.execute(query)).scalars()}

    async def get(self, db: Executor, job_id: UUID, owner: Reach, *, with_payload: bool = True) -> Job:
        """As `find`. Raises `NotFoundError`, or `GoneError` when retention has removed the job."""
        job = await self.find(db, job_id, owner, with_payload=with_payload)
        if job is not None:
            return job
        if await self.was_purged(db, job_id, owner):
            raise GoneError(f"job {job_id} was purged")
        raise NotFoundError(f"job {job_id} does not exist")

    async def was_purged(self, db: Executor, job_id: UUID, owner: Reach) -> bool:
        """Whether this was a job of the owner that retention has removed."""
        return bool((await execute(db, _WAS_PURGED, _of(job_id, owner))).scalar_one())

    async def list_page(self, db: Executor, owner: Reach, wanted: JobFilter) -> list[Job]:
        """One page of the owner's jobs, newest first, without payloads and results."""
        query = select(Job).options(defer(Job.payload, raiseload=True), defer(Job.result, raiseload=True))
        query = query.where(*within(Job, owner), *conditions(wanted))
        query = query.order_by(Job.id.desc()).limit(wanted.limit)
        return list((await db.execute(query)).scalars())

    async def list_attempts(self, db: Executor, job_id: UUID) -> list[Attempt]:
        """The ended attempts of a job whose owner was checked, oldest first."""
        query = select(Attempt).where(Attempt.job_id == job_id).order_by(Attempt.attempt)
        return list((await db.execute(query)).scalars())

    async def lock(self, db: Executor, job_id: UUID, owner: Reach) -> None:
        """Let nobody move the job until the transaction ends, so that two looks at it agree."""
        await execute(db, _LOCK, {"id": job_id, "tenant": owner.tenant_id, "owner": owner.user_id})

    async def cancel_queued(self, db: Executor, job_id: UUID, owner: Reach) -> bool:
        """Cancel a job that has not started. False when it is not queued (any more)."""
        return await self._touch(db, _CANCEL_QUEUED, job_id, owner)

    async def request_cancel(self, db: Executor, job_id: UUID, owner: Reach) -> bool:
        """Record that a running job shall stop. False when it is not running (any more)."""
        return await self._touch(db, _CANCEL_RUNNING, job_id, owner)

    async def retry(self, db: Executor, job_id: UUID, owner: Reach, *, payload_json: str | None = None) -> bool:
        """Queue an ended job again with fresh budgets; its attempt number goes on counting."""
        values = {**_of(job_id, owner), "payload": payload_json}
        return (await execute(db, _RETRY, values)).first() is not None

    async def _touch(self, db: Executor, clause: TextClause, job_id: UUID, owner: Reach) -> bool:
        return (await execute(db, clause, _of(job_id, owner))).first() is not None


def _of(job_id: UUID, owner: Reach) -> dict[str, UUID | None]:
    return {"id": job_id, "tenant": owner.tenant_id, "owner": owner.user_id}
