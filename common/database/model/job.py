"""The job: one row that every process agrees on, and the record of each of its attempts."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, SmallInteger, func, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Text

from common.database.model.base import Base


class Job(Base):
    """One request and everything a client can ask about it. Redis only moves its id.

    `attempt` is the fence: raised by every claim, never lowered. `rank_at` orders a queue: `run_at` less a head
    start for priority, so that nothing waits for ever. `next_dispatch_at` makes the row its own outbox.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        CheckConstraint(
            "status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled', 'expired')", name="status"
        ),
        CheckConstraint("(status = 'running') = (lease_owner IS NOT NULL)", name="lease"),
        CheckConstraint("(status IN ('queued', 'running')) = (finished_at IS NULL)", name="finished"),
        Index("ix_jobs_batch", "batch_id", postgresql_where=text("batch_id IS NOT NULL")),
        Index(
            "ix_jobs_cancelled",
            "id",
            postgresql_where=text("status = 'queued' AND cancel_requested_at IS NOT NULL"),
        ),
        Index("ix_jobs_claim", "queue", "rank_at", postgresql_where=text("status = 'queued' AND pending_after = 0")),
        Index("ix_jobs_dependants", "id", postgresql_where=text("has_dependants AND finished_at IS NOT NULL")),
        Index("ix_jobs_dispatch", "next_dispatch_at", postgresql_where=text("status = 'queued' AND pending_after = 0")),
        Index(
            "ix_jobs_expiry",
            "expires_at",
            postgresql_where=text("status = 'queued' AND expires_at IS NOT NULL"),
        ),
        Index("ix_jobs_lease", "lease_owner", postgresql_where=text("status = 'running'")),
        Index(
            "ix_jobs_limits",
            "limit_keys",
            postgresql_using="gin",
            postgresql_where=text("limit_keys IS NOT NULL AND status IN ('queued', 'running')"),
        ),
        Index("ix_jobs_owner", "tenant_id", "owner_id", "id"),
        Index("ix_jobs_retention", "kind", "finished_at", postgresql_where=text("finished_at IS NOT NULL")),
        {"postgresql_with": {"fillfactor": "80"}},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    owner_id: Mapped[UUID]
    kind: Mapped[str]
    queue: Mapped[str]
    status: Mapped[str] = mapped_column(server_default=text("'queued'"))
    priority: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    payload: Mapped[dict[str, Any]]
    result: Mapped[dict[str, Any] | None]
    error: Mapped[dict[str, Any] | None]
    progress: Mapped[dict[str, Any] | None]
    attempt: Mapped[int] = mapped_column(server_default=text("0"))
    failures: Mapped[int] = mapped_column(server_default=text("0"))
    crashes: Mapped[int] = mapped_column(server_default=text("0"))
    max_attempts: Mapped[int]
    timeout: Mapped[timedelta]
    run_at: Mapped[datetime]
    rank_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    waiting: Mapped[str | None]
    limit_keys: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    limit_values: Mapped[list[int] | None] = mapped_column(ARRAY(Integer))
    lease_owner: Mapped[UUID | None]
    cancel_requested_at: Mapped[datetime | None]
    dispatch_no: Mapped[int] = mapped_column(server_default=text("0"))
    next_dispatch_at: Mapped[datetime]
    batch_id: Mapped[UUID | None]
    custom_id: Mapped[str | None]
    pending_after: Mapped[int] = mapped_column(server_default=text("0"))
    has_dependants: Mapped[bool] = mapped_column(server_default=text("false"))
    is_result_apart: Mapped[bool] = mapped_column(server_default=text("false"))
    request_id: Mapped[str | None]
    traceparent: Mapped[str | None]
    tags: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    annotations: Mapped[dict[str, Any] | None] = mapped_column("metadata", JSONB(none_as_null=True))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Attempt(Base):
    """One execution that has ended. The one that runs now is described by its job's row."""

    __tablename__ = "attempts"

    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True)
    worker_id: Mapped[UUID]
    outcome: Mapped[str]
    error: Mapped[dict[str, Any] | None]
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime] = mapped_column(server_default=func.now())
