"""The request log in MongoDB."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from beanie import Document
from pymongo import ASCENDING, DESCENDING, IndexModel


class RequestLog(Document):
    """A `RequestEntry` as it is kept. The index that lets old ones expire is made where the retention is known."""

    id: UUID  # type: ignore[assignment]  # beanie lets a document have an id of its own
    ts: datetime
    method: str
    route: str
    path: str
    status: int
    duration_ms: float
    request_id: str
    user_id: UUID | None
    tenant_id: UUID | None
    request_bytes: int
    response_bytes: int
    error_code: str | None

    class Settings:
        """Where beanie keeps it."""

        name = "request_log"
        indexes: ClassVar = [
            IndexModel([("user_id", ASCENDING), ("ts", DESCENDING)]),
            IndexModel([("tenant_id", ASCENDING), ("ts", DESCENDING)]),
            IndexModel([("request_id", ASCENDING)]),
        ]


class LlmCallLog(Document):
    """An `LlmCallEntry` as it is kept."""

    id: UUID  # type: ignore[assignment]  # beanie lets a document have an id of its own
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

    class Settings:
        """Where beanie keeps it."""

        name = "llm_call_log"
        indexes: ClassVar = [
            IndexModel([("user_id", ASCENDING), ("ts", DESCENDING)]),
            IndexModel([("tenant_id", ASCENDING), ("ts", DESCENDING)]),
            IndexModel([("job_id", ASCENDING)]),
        ]
