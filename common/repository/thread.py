"""Queries about threads from the owner's side. Every query names tenant and owner."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Uuid, and_, delete, func, insert, select, update

from common.database.model import Job, Thread, ThreadCheckpoint, ThreadMessage, ThreadRun
from common.queue.status import JobStatus
from common.repository.job import Owner
from common.repository.sql import Executor, execute, statement

_ACTIVE = (JobStatus.QUEUED, JobStatus.RUNNING)
THREAD_PARTS = (ThreadMessage, ThreadCheckpoint, ThreadRun)
EMPTY_THREAD: Mapping[str, Any] = {
    **dict.fromkeys(("title", "annotations", "collection_id", "checkpoint_id", "state", "interrupt")),
    "message_count": 0,
}


@dataclass(frozen=True, slots=True)
class ThreadPart:
    """Which part of a thread's lists: the newest first, those before a place."""

    before: UUID | int | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class ActiveRun:
    """A job of a thread that waits or runs."""

    job_id: UUID
    thread_id: UUID
    status: JobStatus
    strategy: str | None
    content: str | None


_ADD_RUN = statement(
    """
    INSERT INTO thread_runs (job_id, thread_id, tenant_id, owner_id, strategy, content, position)
    SELECT :job, :thread, :tenant, :owner, :strategy, :content, coalesce(max(position), 0) + 1 FROM thread_runs
    WHERE thread_id = :thread AND tenant_id = :tenant AND owner_id = :owner
    """,
    job=Uuid(),
    thread=Uuid(),
    tenant=Uuid(),
    owner=Uuid(),
)
_COPY_MESSAGES = statement(
    """
    INSERT INTO thread_messages (thread_id, seq, tenant_id, owner_id, id, role, content, citations, job_id, created_at)
    SELECT :target, seq, tenant_id, owner_id, id, role, content, citations, job_id, created_at FROM thread_messages
    WHERE thread_id = :source AND tenant_id = :tenant AND owner_id = :owner AND seq < :count
    """,
    target=Uuid(),
    source=Uuid(),
    tenant=Uuid(),
    owner=Uuid(),
)
_COPY_CHECKPOINTS = statement(
    """
    INSERT INTO thread_checkpoints (thread_id, checkpoint_id, tenant_id, owner_id, parent_id, job_id, step, source,
                                    next, state, message_count, interrupt, created_at)
    SELECT :target, checkpoint_id, tenant_id, owner_id, parent_id, job_id, step, source, next, state, message_count,
           interrupt, created_at FROM thread_checkpoints
    WHERE thread_id = :source AND tenant_id = :tenant AND owner_id = :owner AND checkpoint_id <= :checkpoint
      AND job_id NOT IN (SELECT job_id FROM thread_runs WHERE thread_id = :source AND tenant_id = :tenant
                                                          AND rolled_back_at IS NOT NULL)
    """,
    target=Uuid(),
    source=Uuid(),
    tenant=Uuid(),
    owner=Uuid(),
    checkpoint=Uuid(),
)


class ThreadRepository:
    """The owner's view of threads."""

    async def create(self, db: Executor, owner: Owner, values: Mapping[str, Any]) -> Thread:
        """Insert a thread."""
        row = {**values, "tenant_id": owner.tenant_id, "owner_id": owner.user_id}
        return (await db.execute(insert(Thread).values(row).returning(Thread))).scalar_one()

    async def find(
        self, db: Executor, thread_id: UUID, owner: Owner, *, lock: bool = False, with_deleted: bool = False
    ) -> Thread | None:
        """The owner's thread; locked, nobody posts to it until the transaction ends."""
        query = select(Thread).where(Thread.id == thread_id, _of(Thread, owner))
        if not with_deleted:
            query = query.where(Thread.deleted_at.is_(None))
        if lock:
            query = query.with_for_update().execution_options(populate_existing=True)
        return (await db.execute(query)).scalar_one_or_none()

    async def list_page(self, db: Executor, owner: Owner, *, before_id: UUID | None, limit: int) -> list[Thread]:
        """One page of the owner's threads, newest first."""
        query = select(Thread).where(_of(Thread, owner), Thread.deleted_at.is_(None))
        if before_id is not None:
            query = query.where(Thread.id < before_id)
        return list((await db.execute(query.order_by(Thread.id.desc()).limit(limit))).scalars())

    async def change(self, db: Executor, thread_id: UUID, owner: Owner, values: Mapping[str, Any]) -> Thread | None:
        """Change a thread and return it."""
        query = update(Thread).where(Thread.id == thread_id, _of(Thread, owner), Thread.deleted_at.is_(None))
        changed = query.values({**values, "updated_at": func.now()}).returning(Thread)
        return (await db.execute(changed.execution_options(populate_existing=True))).scalar_one_or_none()

    async def empty(self, db: Executor, thread_id: UUID, owner: Owner) -> None:
        """Leave nothing of a thread but that it was there."""
        for part in THREAD_PARTS:
            await db.execute(delete(part).where(part.thread_id == thread_id, _of(part, owner)))
        query = update(Thread).where(Thread.id == thread_id, _of(Thread, owner))
        await db.execute(query.values({**EMPTY_THREAD, "deleted_at": func.now()}))

    async def empty_all(self, db: Executor, owner: Owner) -> None:
        """Leave nothing of the owner's threads but that they were there."""
        # The rows first: whoever writes to a thread holds its row.
        query = update(Thread).where(_of(Thread, owner), Thread.deleted_at.is_(None))
        await db.execute(query.values({**EMPTY_THREAD, "deleted_at": func.now()}))
        for part in THREAD_PARTS:
            await db.execute(delete(part).where(_of(part, owner)))

    async def list_active(self, db: Executor, thread_ids: Sequence[UUID], owner: Owner) -> list[ActiveRun]:
        """The jobs of these threads that wait or run, in the order in which they came."""
        query = (
            select(ThreadRun.job_id, ThreadRun.thread_id, Job.status, ThreadRun.strategy, ThreadRun.content)
            .join(Job, Job.id == ThreadRun.job_id)
            .where(ThreadRun.thread_id.in_(thread_ids), _of(ThreadRun, owner), Job.status.in_(_ACTIVE))
            .order_by(ThreadRun.thread_id, ThreadRun.position)
        )
        rows = (await db.execute(query)).all()
        return [ActiveRun(row[0], row[1], JobStatus(row[2]), row[3], row[4]) for row in rows]

    async def add_run(
        self, db: Executor, thread_id: UUID, job_id: UUID, owner: Owner, *, strategy: str, content: str | None = None
    ) -> None:
        """Note a job of a locked thread."""
        values = {"job": job_id, "strategy": strategy, "content": content}
        await execute(db, _ADD_RUN, {**values, **_names(owner), "thread": thread_id})

    async def roll_back(self, db: Executor, job_ids: Sequence[UUID], owner: Owner) -> None:
        """Mark runs as undone; the next job of their thread removes what they wrote."""
        query = update(ThreadRun).where(ThreadRun.job_id.in_(job_ids), _of(ThreadRun, owner))
        await db.execute(query.values(rolled_back_at=func.clock_timestamp()))

    async def list_messages(
        self, db: Executor, thread_id: UUID, owner: Owner, part: ThreadPart, *, count: int | None = None
    ) -> list[ThreadMessage]:
        """What was said, newest first; with `count`, of the first so many. Rolled back runs said nothing."""
        query = select(ThreadMessage).where(ThreadMessage.thread_id == thread_id, _of(ThreadMessage, owner))
        ends = [end for end in (part.before, count) if isinstance(end, int)]
        if ends:
            query = query.where(ThreadMessage.seq < min(ends))
        undone = _undone(thread_id, owner)
        query = query.where(ThreadMessage.job_id.is_(None) | ThreadMessage.job_id.not_in(undone))
        return list((await db.execute(query.order_by(ThreadMessage.seq.desc()).limit(part.limit))).scalars())

    async def list_checkpoints(
        self, db: Executor, thread_id: UUID, owner: Owner, part: ThreadPart
    ) -> list[ThreadCheckpoint]:
        """The steps, newest first, but for those of rolled back runs."""
        query = select(ThreadCheckpoint).where(ThreadCheckpoint.thread_id == thread_id, _of(ThreadCheckpoint, owner))
        if isinstance(part.before, UUID):
            query = query.where(ThreadCheckpoint.checkpoint_id < part.before)
        query = query.where(ThreadCheckpoint.job_id.not_in(_undone(thread_id, owner)))
        query = query.order_by(ThreadCheckpoint.checkpoint_id.desc()).limit(part.limit)
        return list((await db.execute(query)).scalars())

    async def find_checkpoint(
        self, db: Executor, thread_id: UUID, owner: Owner, checkpoint_id: UUID | None
    ) -> ThreadCheckpoint | None:
        """One step, the newest when none is named."""
        if checkpoint_id is None:
            found = await self.list_checkpoints(db, thread_id, owner, ThreadPart(limit=1))
            return found[0] if found else None
        query = select(ThreadCheckpoint).where(
            ThreadCheckpoint.thread_id == thread_id,
            ThreadCheckpoint.checkpoint_id == checkpoint_id,
            _of(ThreadCheckpoint, owner),
            ThreadCheckpoint.job_id.not_in(_undone(thread_id, owner)),
        )
        return (await db.execute(query)).scalar_one_or_none()

    async def copy_parts(self, db: Executor, source: ThreadCheckpoint, target_id: UUID, owner: Owner) -> None:
        """Give another thread of the owner the messages and steps up to a checkpoint."""
        values = {**_names(owner), "source": source.thread_id, "target": target_id}
        await execute(db, _COPY_MESSAGES, {**values, "count": source.message_count})
        await execute(db, _COPY_CHECKPOINTS, {**values, "checkpoint": source.checkpoint_id})


def _undone(thread_id: UUID, owner: Owner) -> Any:
    return select(ThreadRun.job_id).where(
        ThreadRun.thread_id == thread_id, _of(ThreadRun, owner), ThreadRun.rolled_back_at.is_not(None)
    )


def _of(
    table: type[Thread] | type[ThreadRun] | type[ThreadMessage] | type[ThreadCheckpoint], owner: Owner
) -> ColumnElement[bool]:
    return and_(table.tenant_id == owner.tenant_id, table.owner_id == owner.user_id)


def _names(owner: Owner) -> dict[str, UUID]:
    return {"tenant": owner.tenant_id, "owner": owner.user_id}
