"""Webhooks: where users want to be called, what they are to be told, and how each call went."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, func, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Text

from common.database.model.base import Base


class DeliveryStatus(StrEnum):
    """`pending` as long as calls are still tried."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class WebhookEndpoint(Base):
    """An address of a user. During a rotation `previous_secret` signs too, until its time is over."""

    __tablename__ = "webhook_endpoints"
    __table_args__ = (Index("ix_webhook_endpoints_owner", "tenant_id", "owner_id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    owner_id: Mapped[UUID]
    url: Mapped[str]
    description: Mapped[str | None]
    events: Mapped[list[str]] = mapped_column(ARRAY(Text))
    secret: Mapped[str]
    previous_secret: Mapped[str | None]
    previous_secret_until: Mapped[datetime | None]
    disabled_at: Mapped[datetime | None]
    disabled_reason: Mapped[str | None]
    last_success_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class JobWebhook(Base):
    """An endpoint that a submit named: it is told of the job's end whatever its filter says."""

    __tablename__ = "job_webhooks"

    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    endpoint_id: Mapped[UUID] = mapped_column(ForeignKey("webhook_endpoints.id", ondelete="CASCADE"))


class WebhookDelivery(Base):
    """One message for one endpoint, written by a trigger in the transaction that changed the job.

    `id` is also the id of the job that delivers it; `message_id` is what the receiver tells repetitions by.
    """

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        CheckConstraint("status IN ('pending', 'delivered', 'failed')", name="status"),
        Index("ix_webhook_deliveries_endpoint", "endpoint_id", "id"),
        Index("ix_webhook_deliveries_job", "job_id", "endpoint_id"),
        Index("ix_webhook_deliveries_created_at", "created_at"),
        Index("ix_webhook_deliveries_queued", "id", postgresql_where=text("queued_at IS NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    endpoint_id: Mapped[UUID] = mapped_column(ForeignKey("webhook_endpoints.id", ondelete="CASCADE"))
    tenant_id: Mapped[UUID]
    message_id: Mapped[UUID]
    job_id: Mapped[UUID | None]
    type: Mapped[str]
    data: Mapped[dict[str, Any]]
    status: Mapped[str] = mapped_column(server_default=text("'pending'"))
    tries: Mapped[int] = mapped_column(server_default=text("0"))
    occurred_at: Mapped[datetime]
    queued_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    delivered_at: Mapped[datetime | None]


class WebhookTry(Base):
    """One call, by the attempt of the delivering job that made it."""

    __tablename__ = "webhook_tries"

    delivery_id: Mapped[UUID] = mapped_column(ForeignKey("webhook_deliveries.id", ondelete="CASCADE"), primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True)
    status_code: Mapped[int | None]
    error: Mapped[str | None]
    response: Mapped[str | None]
    duration_ms: Mapped[int]
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
