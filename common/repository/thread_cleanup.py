"""Queries for the removal of threads that have had their time. They serve the installation, across tenants."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, exists, func, select, update

from common.database.model import Job, Thread, ThreadRun
from common.queue.status import JobStatus
from common.repository.sql import Executor
from common.repository.thread import EMPTY_THREAD, THREAD_PARTS

_ACTIVE = (JobStatus.QUEUED, JobStatus.RUNNING)


class ThreadCleanupRepository:
    """Finds what nobody needs to be remembered any more."""

    async def expire(self, db: Executor, age: timedelta, *, limit: int) -> int:
        """Empty threads that nothing has touched for `age` and that have no job under way; how many."""
        is_active = exists().where(
            ThreadRun.thread_id == Thread.id, ThreadRun.job_id == Job.id, Job.status.in_(_ACTIVE)
        )
        query = select(Thread.id).where(Thread.deleted_at.is_(None), Thread.updated_at < func.now() - age, ~is_active)
        ids = list(await db.scalars(query.limit(limit).with_for_update(skip_locked=True)))
        for part in THREAD_PARTS:
            await db.execute(delete(part).where(part.thread_id.in_(ids)))
        await db.execute(update(Thread).where(Thread.id.in_(ids)).values({**EMPTY_THREAD, "deleted_at": func.now()}))
        return len(ids)

    async def find_live_threads(self, db: Executor, ids: Sequence[UUID]) -> set[UUID]:
        """Those of these threads that exist and are not deleted."""
        return set(await db.scalars(select(Thread.id).where(Thread.id.in_(ids), Thread.deleted_at.is_(None))))

    async def find_live_jobs(self, db: Executor, ids: Sequence[UUID]) -> set[UUID]:
        """Those of these jobs that wait or run."""
        return set(await db.scalars(select(Job.id).where(Job.id.in_(ids), Job.status.in_(_ACTIVE))))
