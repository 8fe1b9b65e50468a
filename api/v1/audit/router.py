"""/audit: what happened that concerns security."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import AwareDatetime

from api.dependencies import AuditServiceDep, CallerDep, SettingsDep
from api.v1.audit.schema import AuditEventRead, AuditPage
from common.errors import InvalidError
from common.repository.audit import AuditFilter

router = APIRouter(prefix="/audit", tags=["audit"])
_Text = Annotated[str | None, Query(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]


async def get_filter(
    settings: SettingsDep,
    event: _Text = None,
    target: _Text = None,
    actor_id: UUID | None = None,
    outcome: Literal["success", "failure", "denied"] | None = None,
    since: AwareDatetime | None = None,
    until: AwareDatetime | None = None,
    limit: Annotated[int | None, Query(ge=1)] = None,
) -> AuditFilter:
    """Which events to list, and how many at a time."""
    if limit is not None and limit > settings.max_page_limit:
        raise InvalidError(f"MAX_PAGE_LIMIT allows {settings.max_page_limit} events a page", path=("query", "limit"))
    return AuditFilter(event, actor_id, target, outcome, since, until, limit=limit or settings.page_limit)


@router.get("")
async def list_audit_events(
    caller: CallerDep,
    service: AuditServiceDep,
    wanted: Annotated[AuditFilter, Depends(get_filter)],
    request: Request,
    response: Response,
    cursor: Annotated[str | None, Query(max_length=128, description="`next_cursor` of the page before.")] = None,
) -> AuditPage:
    """The security events of your tenant, newest first; for operators and admins."""
    page = await service.list_page(caller, wanted, cursor)
    if page.next_cursor:
        following = request.url.include_query_params(cursor=page.next_cursor)
        response.headers["Link"] = f'<{following.path}?{following.query}>; rel="next"'
    return AuditPage(
        items=[AuditEventRead.model_validate(event) for event in page.events], next_cursor=page.next_cursor
    )
