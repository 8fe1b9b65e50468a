"""Queries that steer many of an owner's jobs at once, a bounded number a call."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Text, select
from sqlalchemy.orm import defer

from common.database.model import Job
from common.queue.status import JobStatus
from common.repository.job import Owner
from common.repository.job_filter import JobFilter, conditions
from common.repository.sql import UUIDS, Executor, execute, statement

_UNSTARTED = "cancelled before it started"
_CANCEL_QUEUED = statement(
    """
    UPDATE jobs SET status = 'cancelled', cancel_requested_at = now(), finished_at = clock_timestamp(),
                    updated_at = clock_timestamp(), waiting = NULL,
                    error = jsonb_build_object('code', 'cancelled', 'message', :reason)
    WHERE id = ANY(:ids) AND status = 'queued'
    """,
    ids=UUIDS,
    reason=Text(),
)
_CANCEL_RUNNING = statement(
    """
    UPDATE jobs SET cancel_requested_at = now(), updated_at = clock_timestamp()
    WHERE id = ANY(:ids) AND status = 'running' AND cancel_requested_at IS NULL
    """,
    ids=UUIDS,
)
_RETRY = statement(
    """
    UPDATE jobs SET status = 'queued', failures = 0, crashes = 0, error = NULL, result = NULL, progress = NULL,
                    cancel_requested_at = NULL, finished_at = NULL, started_at = NULL, expires_at = NULL,
                    run_at = now(), rank_at = now() - priority * interval '1 minute', updated_at = clock_timestamp(),
                    dispatch_no = dispatch_no + 1, next_dispatch_at = now() + interval '10 seconds', waiting = NULL
    WHERE id = ANY(:ids) AND status IN ('failed', 'cancelled', 'expired')
    """,
    ids=UUIDS,
)


class BulkRepository:
    """Steers jobs by filter. Whoever calls holds the rows that `lock` returned until the transaction ends."""

    async def lock(self, db: Executor, owner: Owner, wanted: JobFilter) -> Sequence[UUID]:
        """At most `wanted.limit` matching jobs, oldest first, leaving out those that are being cancelled already."""
        query = select(Job.id).where(Job.tenant_id == owner.tenant_id, Job.owner_id == owner.user_id)
        query = query.where(*conditions(wanted))
        query = query.where((Job.status != JobStatus.RUNNING) | Job.cancel_requested_at.is_(None))
        return (await db.execute(query.order_by(Job.id).limit(wanted.limit).with_for_update())).scalars().all()

    async def cancel(self, db: Executor, ids: Sequence[UUID], *, reason: str = _UNSTARTED) -> list[Job]:
        """End the queued ones, for `reason`, and ask the running ones to stop; all of them as they are then."""
        await execute(db, _CANCEL_QUEUED, {"ids": list(ids), "reason": reason})
        await execute(db, _CANCEL_RUNNING, {"ids": list(ids)})
        return await self._read(db, ids)

    async def retry(self, db: Executor, ids: Sequence[UUID]) -> list[Job]:
        """Queue ended jobs again with fresh budgets; all of them as they are then."""
        await execute(db, _RETRY, {"ids": list(ids)})
        return await self._read(db, ids)

    async def _read(self, db: Executor, ids: Sequence[UUID]) -> list[Job]:
        query = select(Job).where(Job.id.in_(ids)).order_by(Job.id)
        query = query.options(defer(Job.payload, raiseload=True), defer(Job.result, raiseload=True))
        return list((await db.execute(query)).scalars())
