"""Requests as their callers may see them."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class LogRead(BaseModel):
    """One answered request. It appears about a second after its answer."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    ts: datetime = Field(description="When the request came.")
    method: str
    route: str = Field(examples=["/api/v1/jobs/{job_id}"])
    path: str
    status: int = Field(description="0 when the client left before the answer.")
    duration_ms: float
    request_id: str
    user_id: UUID | None
    tenant_id: UUID | None
    request_bytes: int = Field(description="Bytes of the body that were read.")
    response_bytes: int
    error_code: str | None


class LogPage(BaseModel):
    """Requests, newest first."""

    items: list[LogRead]
    next_cursor: str | None = Field(description="Give it back as `cursor` to get the next page.")
