"""Calls of language models as they are kept in MongoDB where LLM_CALL_LOG is on: figures, never what was said."""

from dataclasses import dataclass
from datetime import datetime
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


@dataclass(frozen=True, slots=True)
class LlmCallFilter:
    """Which calls somebody asked for: from `since`, before `until`, of one job, of one model."""

    since: datetime | None = None
    until: datetime | None = None
    job_id: UUID | None = None
    model: str | None = None


def open_llm_calls(settings: CommonSettings) -> "LlmCallRepository | None":
    """The log of calls in MONGODB_URL; None when that is not set, or LLM_CALL_LOG is off. Nothing connects yet.

    Loads the driver, because it costs ten megabytes, only then. Raises `InvalidError` for a malformed URL.
    """
    if settings.mongodb_url is None or not settings.llm_call_log:
        return None
    repository: type[LlmCallRepository] = import_module("common.repository.log").LlmCallRepository
    return repository.open(settings.mongodb_url.get_secret_value(), retention=settings.llm_call_log_retention)
