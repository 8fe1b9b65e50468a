"""Job tokens as clients ask for them and get them."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from common.scopes import JobAction


class JobTokenCreate(BaseModel):
    """What a token for one job allows, and for how long."""

    model_config = ConfigDict(extra="forbid")

    actions: Annotated[set[JobAction], Field(min_length=1)] = Field({JobAction.READ}, examples=[["read", "cancel"]])
    expires_in: float = Field(3600, ge=10, le=86_400, description="Seconds.")


class JobTokenRead(BaseModel):
    """A token that a browser may hold: for HTTP as the bearer token, for Socket.IO in the handshake."""

    token: str
    token_type: Literal["bearer"] = "bearer"
    job_id: UUID
    actions: list[JobAction]
    expires_at: datetime
