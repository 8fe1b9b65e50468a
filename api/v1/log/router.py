"""/logs: which requests were answered, and how."""

from typing import Annotated

from fastapi import Depends, Query, Request, Response

from api.dependencies import CallerDep, LogServiceDep, SettingsDep
from api.feature import feature_router
from api.paging import CursorQuery, link_next
from api.v1.log.dependencies import LimitQuery, Moment, choose_window
from api.v1.log.schema import LogPage, LogRead
from common.request_log import LogWindow, RequestFilter

router = feature_router("/logs", tag="logs")


async def get_filter(
    since: Moment = None,
    until: Moment = None,
    request_id: Annotated[
        str | None, Query(min_length=1, max_length=128, description="Only this id, whenever it was.")
    ] = None,
) -> RequestFilter:
    """Which requests to list: from `since` (default: an hour before `until`) until before `until` (default: now)."""
    return RequestFilter(since, until, request_id)


FilterDep = Annotated[RequestFilter, Depends(get_filter)]


async def get_request_window(settings: SettingsDep, wanted: FilterDep, limit: LimitQuery = None) -> LogWindow:
    """The time to look through; REQUEST_LOG_MAX_WINDOW bounds it unless one id is meant."""
    return choose_window(settings, wanted.since, wanted.until, limit, is_bounded=wanted.request_id is None)


@router.get("")
async def list_logs(
    caller: CallerDep,
    service: LogServiceDep,
    wanted: FilterDep,
    window: Annotated[LogWindow, Depends(get_request_window)],
    request: Request,
    response: Response,
    cursor: CursorQuery = None,
) -> LogPage:
    """Your requests, newest first; operators and admins see everybody's in their tenant."""
    page = await service.list_page(caller, wanted, window, cursor)
    link_next(request, response, page.next_cursor)
    return LogPage(items=[LogRead.model_validate(entry) for entry in page.items], next_cursor=page.next_cursor)
