"""The request log as everybody sees it. Light: the driver and the document model load only where MONGODB_URL is set."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib import import_module
from typing import TYPE_CHECKING
from uuid import UUID

from common.config import CommonSettings

if TYPE_CHECKING:
    from common.repository.log import RequestLogRepository


@dataclass(frozen=True, slots=True)
class RequestEntry:
    """One answered request: no body, no header, no query string.

    `id` makes writing it twice harmless. `route` is the template, `path` what was asked. `status` is 0 when the client
    left before the answer. `user_id` and `tenant_id` are missing when nobody was recognised.
    """

    id: UUID
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


@dataclass(frozen=True, slots=True)
class RequestFilter:
    """Which requests somebody asked for: from `since`, before `until`, of one id, which clients may repeat."""

    since: datetime | None = None
    until: datetime | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class LogWindow:
    """Which entries to read: from `since`, before `until`, the newest `limit` of them."""

    since: datetime
    until: datetime
    limit: int


def open_request_logs(settings: CommonSettings, retention: timedelta) -> "RequestLogRepository | None":
    """The request log in MONGODB_URL; None when that is not set. Nothing connects yet.

    The one place that loads the driver, because it costs ten megabytes. Raises `InvalidError` for a malformed URL.
    """
    if settings.mongodb_url is None:
        return None
    repository: type[RequestLogRepository] = import_module("common.repository.log").RequestLogRepository
    return repository.open(settings.mongodb_url.get_secret_value(), retention=retention)
