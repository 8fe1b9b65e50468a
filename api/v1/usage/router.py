"""/usage: what calls of models came to."""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import Query

from api.dependencies import CallerDep, UsageServiceDep
from api.feature import feature_router
from api.v1.usage.schema import UsageReport, UsageRow, UsageTotal
from common.repository.usage import UsageGroup

router = feature_router("/usage", tag="usage")
_USUAL = timedelta(days=29)
_FIRST = date(2000, 1, 1)
_LAST = date(9000, 1, 1)


@router.get("")
async def get_usage(
    caller: CallerDep,
    service: UsageServiceDep,
    since: Annotated[
        date | None, Query(ge=_FIRST, le=_LAST, description="First day, UTC; 29 days before the last.")
    ] = None,
    until: Annotated[date | None, Query(ge=_FIRST, le=_LAST, description="Last day, UTC; today.")] = None,
    group_by: Annotated[list[UsageGroup] | None, Query(max_length=3, description="Repeat it for finer sums.")] = None,
    owner_id: Annotated[UUID | None, Query(description="Only this user's; for operators and admins.")] = None,
) -> UsageReport:
    """Calls, tokens and cost by day, model or kind: your own, for operators and admins all of the tenant's."""
    last = until or max(since or _FIRST, datetime.now(UTC).date())
    first = since or last - _USUAL
    groups = list(dict.fromkeys([UsageGroup.DAY] if group_by is None else group_by))
    found = await service.sum_up(caller, first, last, groups, owner_id)
    return UsageReport(
        since=first,
        until=last,
        items=[UsageRow.model_validate(item, from_attributes=True) for item in found.items],
        total=UsageTotal.model_validate(found.total, from_attributes=True),
    )
