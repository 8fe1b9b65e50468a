"""Security events as operators and admins see them."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class AuditEventRead(BaseModel):
    """Who did what to what, and how it ended. It appears within a second."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    event: str = Field(examples=["auth.login"])
    outcome: Literal["success", "failure", "denied"]
    actor_id: UUID | None = Field(description="The user who did it, when one was recognised.")
    target: str | None = Field(examples=["user:018f6f0e-7c1b-7d4e-8000-000000000000"])
    request_id: str | None
    details: dict[str, Any] | None
    created_at: datetime


class AuditPage(BaseModel):
    """Security events, newest first."""

    items: list[AuditEventRead]
    next_cursor: str | None = Field(description="Give it back as `cursor` to get the next page.")
