"""What belongs to submitting: batches, idempotency keys, unique slots, dependencies; and what outlives a job's row."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from common.database.model.base import Base


class Batch(Base):
    """Jobs that were submitted together. `total` counts the accepted ones."""

    __tablename__ = "batches"
    __table_args__ = (Index("ix_batches_created_at", "created_at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    owner_id: Mapped[UUID]
    total: Mapped[int]
    annotations: Mapped[dict[str, Any] | None] = mapped_column("metadata", JSONB(none_as_null=True))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class IdempotencyKey(Base):
    """A key that a client sent with a submit, and what came of it; written in the transaction of the jobs."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index("ix_idempotency_keys_expires_at", "expires_at"),)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    owner_id: Mapped[UUID] = mapped_column(primary_key=True)
    route: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[str]
    job_id: Mapped[UUID | None]
    batch_id: Mapped[UUID | None]
    items: Mapped[list[Any] | None] = mapped_column(JSONB(none_as_null=True))
    expires_at: Mapped[datetime]


class UniqueSlot(Base):
    """Serialises the submits of one unique key. `job_id` is its newest job, `behind_id` the one that it waited for."""

    __tablename__ = "unique_slots"
    __table_args__ = (Index("ix_unique_slots_keep_until", "keep_until"),)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    owner_id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    job_id: Mapped[UUID]
    behind_id: Mapped[UUID | None]
    taken_at: Mapped[datetime] = mapped_column(server_default=func.now())
    keep_until: Mapped[datetime]


class JobDependency(Base):
    """`job_id` waits for the end of `depends_on_id`; the row goes with that end."""

    __tablename__ = "job_dependencies"
    __table_args__ = (
        CheckConstraint("on_failure IN ('fail', 'run', 'cancel')", name="on_failure"),
        Index("ix_job_dependencies_depends_on_id", "depends_on_id"),
    )

    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    depends_on_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    on_failure: Mapped[str]


class JobResult(Base):
    """A result that is too large for its job's row."""

    __tablename__ = "job_results"

    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    result: Mapped[dict[str, Any]]


class PurgedJob(Base):
    """The id of a job that retention removed, so that its owner is told so for a while."""

    __tablename__ = "purged_jobs"
    __table_args__ = (Index("ix_purged_jobs_purged_at", "purged_at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    owner_id: Mapped[UUID]
    purged_at: Mapped[datetime] = mapped_column(server_default=func.now())
