"""Mails: what was meant to be sent, written before sending, and what became of it."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from common.database.model.base import Base


class MailStatus(StrEnum):
    """`sending` from the intent to the outcome; `deferred` is tried again; `unknown` is left to its owner."""

    SENDING = "sending"
    SENT = "sent"
    DEFERRED = "deferred"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Mail(Base):
    """One mail; `id` is its job's. `attempt` is the attempt that wrote the status; the text is not kept."""

    __tablename__ = "mails"
    __table_args__ = (
        CheckConstraint("status IN ('sending', 'sent', 'deferred', 'failed', 'unknown')", name="status"),
        Index("ix_mails_tenant_id", "tenant_id", "id"),
        Index("ix_mails_owner_id", "owner_id", "created_at"),
        Index("ix_mails_created_at", "created_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    owner_id: Mapped[UUID]
    attempt: Mapped[int]
    status: Mapped[str]
    message_id: Mapped[str]
    recipient: Mapped[str]
    subject: Mapped[str]
    template: Mapped[str | None]
    response: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class JobNotice(Base):
    """Somebody wants a mail about the end of a job; the row goes when that mail is a job of its own."""

    __tablename__ = "job_notices"
    __table_args__ = (CheckConstraint("notify IN ('success', 'failure', 'both')", name="notify"),)

    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    notify: Mapped[str] = mapped_column(server_default=text("'both'"))
