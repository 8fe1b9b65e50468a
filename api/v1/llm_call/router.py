"""/llm-calls: which calls of models were made, how they ended and what they came to."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query, Request, Response

from api.dependencies import CallerDep, LlmCallServiceDep, SettingsDep
from api.feature import feature_router
from api.paging import CursorQuery, link_next
from api.v1.llm_call.schema import LlmCallPage, LlmCallRead
from api.v1.log.dependencies import LimitQuery, Moment, choose_window
from common.llm_log import LlmCallFilter
from common.request_log import LogWindow

router = feature_router("/llm-calls", tag="logs")


async def get_filter(
    since: Moment = None,
    until: Moment = None,
    job_id: Annotated[UUID | None, Query(description="Only this job's, whenever they were.")] = None,
    model: Annotated[str | None, Query(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")] = None,
) -> LlmCallFilter:
    """Which calls to list: from `since` (default: an hour before `until`) until before `until` (default: now)."""
    return LlmCallFilter(since, until, job_id, model)


FilterDep = Annotated[LlmCallFilter, Depends(get_filter)]


async def get_call_window(settings: SettingsDep, wanted: FilterDep, limit: LimitQuery = None) -> LogWindow:
    """The time to look through; REQUEST_LOG_MAX_WINDOW bounds it unless one job is meant."""
    return choose_window(settings, wanted.since, wanted.until, limit, is_bounded=wanted.job_id is None)


@router.get("")
async def list_llm_calls(
    caller: CallerDep,
    service: LlmCallServiceDep,
    wanted: FilterDep,
    window: Annotated[LogWindow, Depends(get_call_window)],
    request: Request,
    response: Response,
    cursor: CursorQuery = None,
) -> LlmCallPage:
    """Calls of models that your jobs made, newest first; operators and admins see everybody's in their tenant."""
    page = await service.list_page(caller, wanted, window, cursor)
    link_next(request, response, page.next_cursor)
    return LlmCallPage(items=[LlmCallRead.model_validate(call) for call in page.items], next_cursor=page.next_cursor)
