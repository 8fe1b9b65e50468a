"""Calls of models as those who caused them may see them."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class LlmCallRead(BaseModel):
    """One request to a provider: figures, never what was said. It appears about a second after its end."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    ts: datetime = Field(description="When the call began.")
    operation: Literal["chat", "embeddings"]
    provider: str
    model: str
    outcome: str = Field(description="`ok`, `cancelled` or the code of an error.", examples=["ok", "rate_limited"])
    duration_ms: float
    first_piece_ms: float | None = Field(description="Wait for the first piece of the answer, when one came.")
    input_tokens: int
    output_tokens: int
    cost_usd: float
    job_id: UUID | None
    attempt: int | None
    user_id: UUID | None = Field(description="Whose job it was.")
    tenant_id: UUID | None
    request_id: str | None = Field(description="The request that submitted the job.")


class LlmCallPage(BaseModel):
    """Calls, newest first."""

    items: list[LlmCallRead]
    next_cursor: str | None = Field(description="Give it back as `cursor` to get the next page.")
