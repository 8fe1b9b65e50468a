"""Which jobs a thread has, for whoever follows it. Every query names tenant and owner."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import defer

from common.database.model import Job, Thread, ThreadRun
from common.queue.status import JobStatus
from common.repository.job import Owner
from common.repository.sql import Executor

_ACTIVE = (JobStatus.QUEUED, JobStatus.RUNNING)


@dataclass(frozen=True, slots=True)
class ThreadJob:
    """A job of a thread, the `turn`th that came; without payload and result."""

    turn: int
    job: Job

    @property
    def is_active(self) -> bool:
        """Whether it waits or runs."""
        return self.job.status in _ACTIVE


class ThreadJobRepository:
    """The owner's view of threads as rows of jobs."""

    async def newest_turn(self, db: Executor, thread_id: UUID, owner: Owner) -> int | None:
        """The number of the latest job, 0 for a thread without one; None for no thread of the owner."""
        query = (
            select(ThreadRun.position)
            .select_from(Thread)
            .outerjoin(ThreadRun, and_(ThreadRun.thread_id == Thread.id, ThreadRun.tenant_id == owner.tenant_id))
            .where(Thread.id == thread_id, Thread.tenant_id == owner.tenant_id, Thread.owner_id == owner.user_id)
            .where(Thread.deleted_at.is_(None))
            .order_by(ThreadRun.position.desc().nulls_last())
            .limit(1)
        )
        row = (await db.execute(query)).first()
        return None if row is None else row[0] or 0

    async def list(
        self, db: Executor, thread_id: UUID, owner: Owner, *, behind: int | None, limit: int
    ) -> list[ThreadJob]:
        """Jobs that wait or run, and with `behind` all that came after that turn; in their order."""
        wanted = [Job.status.in_(_ACTIVE), *([ThreadRun.position > behind] if behind is not None else [])]
        query = (
            select(ThreadRun.position, Job)
            .join(Job, Job.id == ThreadRun.job_id)
            .options(defer(Job.payload, raiseload=True), defer(Job.result, raiseload=True))
            .where(ThreadRun.thread_id == thread_id, ThreadRun.tenant_id == owner.tenant_id)
            .where(ThreadRun.owner_id == owner.user_id, Job.tenant_id == owner.tenant_id)
            .where(Job.owner_id == owner.user_id, or_(*wanted))
            .order_by(ThreadRun.position)
            .limit(limit)
        )
        return [ThreadJob(turn, job) for turn, job in (await db.execute(query)).all()]
