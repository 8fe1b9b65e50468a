"""What the log routes read from a request."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import Depends, Query
from pydantic import AwareDatetime

from api.dependencies import SettingsDep
from common.errors import InvalidError
from common.request_log import LogWindow

_DEFAULT_WINDOW = timedelta(hours=1)
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
"""Nothing was logged before."""

Moment = Annotated[AwareDatetime | None, Query(ge=EARLIEST, examples=["2030-01-31T09:00:00Z"])]


async def get_window(
    settings: SettingsDep,
    since: Moment = None,
    until: Moment = None,
    limit: Annotated[int | None, Query(ge=1)] = None,
) -> LogWindow:
    """From `since` (default: an hour earlier) until before `until` (default: now)."""
    if limit is not None and limit > settings.max_page_limit:
        raise InvalidError(f"MAX_PAGE_LIMIT allows {settings.max_page_limit} requests a page", path=("query", "limit"))
    end = min(until or datetime.now(UTC), datetime.now(UTC))
    longest = settings.request_log_max_window
    start = since or end - min(_DEFAULT_WINDOW, longest)
    if start >= end:
        raise InvalidError("since must be before until, and not in the future", path=("query", "since"))
    if end - start > longest:
        allowed = int(longest.total_seconds())
        raise InvalidError(f"REQUEST_LOG_MAX_WINDOW allows {allowed} seconds at a time", path=("query", "since"))
    return LogWindow(start, end, limit or settings.page_limit)


LogWindowDep = Annotated[LogWindow, Depends(get_window)]
