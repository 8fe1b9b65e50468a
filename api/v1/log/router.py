"""/logs: which requests were answered, and how."""

from typing import Annotated

from fastapi import Query

from api.dependencies import CallerDep, LogServiceDep
from api.feature import feature_router
from api.v1.log.dependencies import LogWindowDep
from api.v1.log.schema import LogList, LogRead

router = feature_router("/logs", tag="logs")


@router.get("")
async def list_logs(
    caller: CallerDep,
    service: LogServiceDep,
    window: LogWindowDep,
    request_id: Annotated[
        str | None, Query(min_length=1, max_length=128, description="Only this id, whenever it was.")
    ] = None,
) -> LogList:
    """Your requests, newest first; operators and admins see everybody's in their tenant."""
    entries = await service.list_entries(caller, window, request_id)
    return LogList(items=[LogRead.model_validate(entry) for entry in entries])
