"""Threads of agents: who owns them, their runs, and what the worker wrote down of their checkpoints and messages."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, func, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Text

from common.database.model.base import Base


class Thread(Base):
    """A conversation with a flow. `fence` is raised by every attempt that takes the thread and never lowered.

    `checkpoint_id`, `state`, `message_count` and `interrupt` are those of its newest checkpoint. A deleted thread stays
    as an empty row, so that nothing late brings it back.
    """

    __tablename__ = "threads"
    __table_args__ = (Index("ix_threads_owner", "tenant_id", "owner_id", "id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    owner_id: Mapped[UUID]
    title: Mapped[str | None]
    flow: Mapped[str]
    collection_id: Mapped[UUID | None]
    annotations: Mapped[dict[str, Any] | None] = mapped_column("metadata", JSONB(none_as_null=True))
    fence: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    run_job_id: Mapped[UUID | None]
    checkpoint_id: Mapped[UUID | None]
    state: Mapped[dict[str, Any] | None]
    message_count: Mapped[int] = mapped_column(server_default=text("0"))
    interrupt: Mapped[dict[str, Any] | None]
    forked_from: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    deleted_at: Mapped[datetime | None]


class ThreadRun(Base):
    """A job of a thread, the `position`th that came. The next one undoes what a rolled back one wrote (`undone_at`)."""

    __tablename__ = "thread_runs"
    __table_args__ = (
        Index("ix_thread_runs_thread", "thread_id", "position"),
        Index(
            "ix_thread_runs_undo",
            "thread_id",
            postgresql_where=text("rolled_back_at IS NOT NULL AND undone_at IS NULL"),
        ),
    )

    job_id: Mapped[UUID] = mapped_column(primary_key=True)
    thread_id: Mapped[UUID] = mapped_column(ForeignKey("threads.id", ondelete="CASCADE"))
    tenant_id: Mapped[UUID]
    owner_id: Mapped[UUID]
    position: Mapped[int]
    strategy: Mapped[str | None]
    content: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    rolled_back_at: Mapped[datetime | None]
    undone_at: Mapped[datetime | None]


class ThreadMessage(Base):
    """What was said, in order: `seq` counts from 0."""

    __tablename__ = "thread_messages"

    thread_id: Mapped[UUID] = mapped_column(ForeignKey("threads.id", ondelete="CASCADE"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    owner_id: Mapped[UUID]
    id: Mapped[str]
    role: Mapped[str]
    content: Mapped[str]
    citations: Mapped[list[Any] | None] = mapped_column(JSONB(none_as_null=True))
    job_id: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ThreadCheckpoint(Base):
    """One step of a run: what comes next, the values but for the messages, and how many messages there were."""

    __tablename__ = "thread_checkpoints"

    thread_id: Mapped[UUID] = mapped_column(ForeignKey("threads.id", ondelete="CASCADE"), primary_key=True)
    checkpoint_id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    owner_id: Mapped[UUID]
    parent_id: Mapped[UUID | None]
    job_id: Mapped[UUID]
    step: Mapped[int]
    source: Mapped[str]
    next: Mapped[list[str]] = mapped_column(ARRAY(Text))
    state: Mapped[dict[str, Any]]
    message_count: Mapped[int]
    interrupt: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
