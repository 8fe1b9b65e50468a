"""Calls of language models as they are kept in MongoDB where LLM_CALL_LOG is on: figures, never what was said."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib import import_module
from typing import TYPE_CHECKING
from uuid import UUID

from common.config import CommonSettings

if TYPE_CHECKING:
    from common.repository.log import LlmCallRepository


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


def open_llm_calls(settings: CommonSettings, retention: timedelta, *, is_wanted: bool) -> "LlmCallRepository | None":
    """The log of calls in MONGODB_URL; None when that is not set or nobody wants it. Nothing connects yet.

    Loads the driver, because it costs ten megabytes, only then. Raises `InvalidError` for a malformed URL.
    """
    if settings.mongodb_url is None or not is_wanted:
        return None
    repository: type[LlmCallRepository] = import_module("common.repository.log").LlmCallRepository
    return repository.open(settings.mongodb_url.get_secret_value(), retention=retention)
