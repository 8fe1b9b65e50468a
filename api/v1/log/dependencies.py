"""What the log routes read from a request."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import Query
from pydantic import AwareDatetime

from api.config import ApiSettings
from common.errors import InvalidError
from common.request_log import LogWindow

_DEFAULT_WINDOW = timedelta(hours=1)
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)

Moment = Annotated[AwareDatetime | None, Query(ge=_EARLIEST, examples=["2030-01-31T09:00:00Z"])]
LimitQuery = Annotated[int | None, Query(ge=1)]


def choose_window(
    settings: ApiSettings, since: datetime | None, until: datetime | None, limit: int | None, *, is_bounded: bool
) -> LogWindow:
    """From `since` (default: an hour earlier) until before `until` (default: now).

    REQUEST_LOG_MAX_WINDOW bounds it, unless so little is asked for that all times can be looked through.
    """
    if limit is not None and limit > settings.max_page_limit:
        raise InvalidError(f"MAX_PAGE_LIMIT allows {settings.max_page_limit} requests a page", path=("query", "limit"))
    end = min(until or datetime.now(UTC), datetime.now(UTC))
    longest = settings.request_log_max_window
    start = since or (end - min(_DEFAULT_WINDOW, longest) if is_bounded else _EARLIEST)
    if start >= end:
        raise InvalidError("since must be before until, and not in the future", path=("query", "since"))
    if is_bounded and end - start > longest:
        allowed = int(longest.total_seconds())
        raise InvalidError(f"REQUEST_LOG_MAX_WINDOW allows {allowed} seconds at a time", path=("query", "since"))
    return LogWindow(start, end, limit or settings.page_limit)
