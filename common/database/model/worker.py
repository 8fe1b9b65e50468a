"""Worker incarnations and their leases."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, func, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Text

from common.database.model.base import Base


class Worker(Base):
    """One incarnation of one worker process. The lease is its right to hold jobs, however many it runs."""

    __tablename__ = "workers"
    __table_args__ = (Index("ix_workers_lease_expires_at", "lease_expires_at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    process_id: Mapped[UUID | None]
    """The first incarnation of the same process: a lost lease gives it another id."""
    host: Mapped[str]
    boot_id: Mapped[str]
    pid: Mapped[int]
    queues: Mapped[list[str]] = mapped_column(ARRAY(Text))
    concurrency: Mapped[int]
    is_draining: Mapped[bool] = mapped_column(server_default=text("false"))
    """It claims nothing."""
    hands_back: Mapped[bool] = mapped_column(server_default=text("false"))
    """It also gives back what it runs, after its grace."""
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    seen_at: Mapped[datetime] = mapped_column(server_default=func.now())
    lease_expires_at: Mapped[datetime]
    stopped_at: Mapped[datetime | None]


class Queue(Base):
    """What operators decided about a queue. A queue without a row has no restrictions."""

    __tablename__ = "queues"

    name: Mapped[str] = mapped_column(primary_key=True)
    is_paused: Mapped[bool] = mapped_column(server_default=text("false"))
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
