"""Calls of language models as they are kept in MongoDB where LLM_CALL_LOG is on: figures, never what was said."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class LlmCallEntry:
    """One call that came to its end. `outcome` is `ok`, `cancelled` or the code of an error.

    `operation` is `chat` or `embeddings`. Seconds until the first piece are missing when none came.
    """

    id: UUID
    ts: datetime
    operation: str
    provider: str
    model: str
    outcome: str
    duration_ms: float
    first_piece_ms: float | None
    input_tokens: int
    output_tokens: int
    cost_usd: float
    job_id: UUID | None
    attempt: int | None
    tenant_id: UUID | None
    user_id: UUID | None
    request_id: str | None
