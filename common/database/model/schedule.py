"""Schedules, and the record of each of their firings."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from common.database.model.base import Base


class ScheduleStatus(StrEnum):
    """`disabled` by the system, with a reason; `ended` when no slot is left."""

    ACTIVE = "active"
    PAUSED = "paused"
    DISABLED = "disabled"
    ENDED = "ended"


class Overlap(StrEnum):
    """What a slot does while the job of the one before has not ended."""

    SKIP = "skip"
    BUFFER_ONE = "buffer_one"
    CANCEL_OTHER = "cancel_other"
    ALLOW = "allow"


class CatchUp(StrEnum):
    """What becomes of slots that came while nothing could fire."""

    FIRE_ONCE = "fire_once"
    FIRE_ALL = "fire_all"
    SKIP = "skip"


class FiringOutcome(StrEnum):
    """What a slot did."""

    FIRED = "fired"
    SKIPPED = "skipped"
    BUFFERED = "buffered"


class Schedule(Base):
    """When to submit which job. `next_slot` is the nominal time that comes next, `due_at` that time with its jitter.

    `system_key` names the kind that declared it; `pending_slot` waits for the end of `last_job_id`.
    """

    __tablename__ = "schedules"
    __table_args__ = (
        CheckConstraint("status IN ('active', 'paused', 'disabled', 'ended')", name="status"),
        CheckConstraint("num_nonnulls(cron, every, run_at) = 1", name="one_trigger"),
        Index("ix_schedules_due", "due_at", postgresql_where=text("status = 'active' AND due_at IS NOT NULL")),
        Index("ix_schedules_owner", "tenant_id", "owner_id", "id"),
        Index("ix_schedules_pending", "id", postgresql_where=text("pending_slot IS NOT NULL")),
        Index("uq_schedules_system_key", "system_key", unique=True),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    owner_id: Mapped[UUID]
    name: Mapped[str]
    system_key: Mapped[str | None]
    kind: Mapped[str]
    payload: Mapped[dict[str, Any]]
    options: Mapped[dict[str, Any]]
    cron: Mapped[str | None]
    every: Mapped[timedelta | None]
    run_at: Mapped[datetime | None]
    anchor: Mapped[datetime]
    timezone: Mapped[str]
    starts_at: Mapped[datetime | None]
    ends_at: Mapped[datetime | None]
    jitter: Mapped[timedelta]
    overlap: Mapped[str]
    catch_up: Mapped[str]
    catch_up_window: Mapped[timedelta]
    status: Mapped[str] = mapped_column(server_default=text("'active'"))
    reason: Mapped[str | None]
    version: Mapped[int] = mapped_column(server_default=text("1"))
    next_slot: Mapped[datetime | None]
    due_at: Mapped[datetime | None]
    last_slot: Mapped[datetime | None]
    pending_slot: Mapped[datetime | None]
    last_job_id: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Firing(Base):
    """One slot of a schedule: the primary key lets it happen once. `lag` is how late it was, `version` whose it was."""

    __tablename__ = "firings"
    __table_args__ = (
        CheckConstraint("outcome IN ('fired', 'skipped', 'buffered')", name="outcome"),
        Index("ix_firings_fired_at", "fired_at"),
    )

    schedule_id: Mapped[UUID] = mapped_column(ForeignKey("schedules.id", ondelete="CASCADE"), primary_key=True)
    slot: Mapped[datetime] = mapped_column(primary_key=True)
    cause: Mapped[str]
    outcome: Mapped[str]
    detail: Mapped[str | None]
    job_id: Mapped[UUID | None]
    lag: Mapped[timedelta]
    version: Mapped[int]
    fired_at: Mapped[datetime] = mapped_column(server_default=func.now())
