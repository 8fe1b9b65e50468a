"""Webhooks as their owners see them."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue, Strict

from common.database.model import DeliveryStatus, WebhookDelivery, WebhookEndpoint, WebhookTry

EndEvent = Literal["job.succeeded", "job.failed", "job.cancelled", "job.expired"]
StepEvent = Literal["job.started", "job.progress", "job.retrying", "job.cancelling"]
_Url = Annotated[str, Field(min_length=1, max_length=2000, examples=["https://example.com/letuin"])]
_Events = Annotated[
    list[EndEvent | StepEvent], Field(max_length=8, description="What to be told of; the ends of jobs, if left out.")
]
_Text = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
_ENDS: list[EndEvent | StepEvent] = ["job.succeeded", "job.failed", "job.cancelled", "job.expired"]


class WebhookCreate(BaseModel):
    """A new endpoint. With no events it is called only for jobs that name it."""

    model_config = ConfigDict(extra="forbid")

    url: _Url
    events: _Events = _ENDS
    description: _Text | None = None


class WebhookUpdate(BaseModel):
    """What is left out stays. `enabled` switches an endpoint off and on, also one that was disabled for failing."""

    model_config = ConfigDict(extra="forbid")

    url: _Url | None = None
    events: _Events | None = None
    description: _Text | None = None
    enabled: Annotated[bool, Strict()] | None = None


class RotateRequest(BaseModel):
    """How long the secret until now stays valid beside the new one."""

    model_config = ConfigDict(extra="forbid")

    overlap: float = Field(86_400, ge=0, le=7 * 86_400, allow_inf_nan=False, description="Seconds.")


class WebhookRead(BaseModel):
    """An endpoint. Its secret is shown once, when it is made."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    owner_id: UUID
    url: str
    events: list[str]
    description: str | None
    disabled_at: datetime | None
    disabled_reason: str | None = Field(examples=["failing"])
    previous_secret_until: datetime | None
    last_success_at: datetime | None
    created_at: datetime
    updated_at: datetime


class WebhookSecret(WebhookRead):
    """An endpoint with the secret that signs what it gets."""

    secret: str = Field(examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])

    @classmethod
    def of(cls, endpoint: WebhookEndpoint, secret: str) -> Self:
        """The endpoint with its secret as it was made; what the row holds is sealed."""
        return cls(**WebhookRead.model_validate(endpoint).model_dump(), secret=secret)


class WebhookList(BaseModel):
    """All of your endpoints."""

    items: list[WebhookRead]


class TryRead(BaseModel):
    """One call."""

    model_config = ConfigDict(from_attributes=True)

    attempt: int
    status_code: int | None
    error: str | None
    response: str | None = Field(description="The beginning of the answer.")
    duration_ms: int
    started_at: datetime


class DeliveryRead(BaseModel):
    """One message for one endpoint."""

    id: UUID
    message_id: str = Field(description="The `webhook-id` header, the same in every call and replay.")
    job_id: UUID | None
    type: str
    data: dict[str, JsonValue]
    status: DeliveryStatus
    created_at: datetime
    delivered_at: datetime | None
    tries: list[TryRead]

    @classmethod
    def of(cls, delivery: WebhookDelivery, tries: list[WebhookTry]) -> Self:
        """The delivery with its calls."""
        return cls(
            id=delivery.id,
            message_id=f"msg_{delivery.message_id}",
            job_id=delivery.job_id,
            type=delivery.type,
            data=delivery.data,
            status=DeliveryStatus(delivery.status),
            created_at=delivery.created_at,
            delivered_at=delivery.delivered_at,
            tries=[TryRead.model_validate(each) for each in tries],
        )


class DeliveryPage(BaseModel):
    """Deliveries, newest first. `next_cursor` is missing on the last page."""

    items: list[DeliveryRead]
    next_cursor: str | None
