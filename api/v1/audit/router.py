"""/audit: what happened that concerns security."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import Depends, Query, Request, Response
from pydantic import AwareDatetime

from api.dependencies import AuditServiceDep, CallerDep
from api.feature import feature_router
from api.page_limit import PageLimitDep
from api.paging import CursorQuery, link_next
from api.v1.audit.schema import AuditEventRead, AuditPage
from common.repository.audit import AuditFilter

router = feature_router("/audit", tag="audit")
_Text = Annotated[str | None, Query(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]


async def get_filter(
    limit: PageLimitDep,
    event: _Text = None,
    target: _Text = None,
    actor_id: UUID | None = None,
    outcome: Literal["success", "failure", "denied"] | None = None,
    since: AwareDatetime | None = None,
    until: AwareDatetime | None = None,
) -> AuditFilter:
    """Which events to list, and how many at a time."""
    return AuditFilter(event, actor_id, target, outcome, since, until, limit=limit)


@router.get("")
async def list_audit_events(
    caller: CallerDep,
    service: AuditServiceDep,
    wanted: Annotated[AuditFilter, Depends(get_filter)],
    request: Request,
    response: Response,
    cursor: CursorQuery = None,
) -> AuditPage:
    """The security events of your tenant, newest first; for operators and admins."""
    page = await service.list_page(caller, wanted, cursor)
    link_next(request, response, page.next_cursor)
    return AuditPage(items=[AuditEventRead.model_validate(event) for event in page.items], next_cursor=page.next_cursor)
