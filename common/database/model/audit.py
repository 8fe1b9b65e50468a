"""What happened that concerns security: who did what to what, and how it ended."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from common.database.model.base import Base


class AuditEvent(Base):
    """One security event. It refers to nothing, so that it outlives the users and objects it names."""

    __tablename__ = "audit_events"
    __table_args__ = (
        CheckConstraint("outcome IN ('success', 'failure', 'denied')", name="outcome"),
        Index("ix_audit_events_tenant", "tenant_id", "id"),
        Index("ix_audit_events_created_at", "created_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    actor_id: Mapped[UUID | None]
    event: Mapped[str]
    outcome: Mapped[str]
    target: Mapped[str | None]
    request_id: Mapped[str | None]
    details: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime]
