"""/schedules: jobs that come back, or come later."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import Path, Query, Request, Response, status
from fastapi.exceptions import RequestValidationError
from pydantic import AwareDatetime, ValidationError

from api.dependencies import CallerDep, ScheduleServiceDep, SettingsDep, from_state
from api.feature import feature_router
from api.v1.schedule.run_now import ManualRuns
from api.v1.schedule.schema import (
    BackfillRead,
    BackfillRequest,
    FiringPage,
    FiringRead,
    Preview,
    ScheduleCreate,
    SchedulePage,
    ScheduleRead,
    ScheduleUpdate,
    SlotRead,
)
from common.database.model import Overlap, Schedule, ScheduleStatus
from common.errors import InvalidError, NotFoundError
from common.repository.schedule import ScheduleFilter

router = feature_router("/schedules", tag="schedules")
ManualRunsDep = Annotated[ManualRuns, from_state("manual_runs")]
ScheduleId = Annotated[str, Path(description="The schedule's id.")]
Count = Annotated[int, Query(ge=1, le=100, description="How many.")]


@router.post("", status_code=status.HTTP_201_CREATED)
async def create_schedule(
    wanted: ScheduleCreate, caller: CallerDep, service: ScheduleServiceDep, request: Request, response: Response
) -> ScheduleRead:
    """Add a schedule: by cron in a time zone, every so many seconds, or once."""
    schedule = await service.create(caller.owner, wanted)
    response.headers["Location"] = f"{request.url.path}/{schedule.id}"
    return ScheduleRead.of(schedule)


@router.get("")
async def list_schedules(
    caller: CallerDep,
    service: ScheduleServiceDep,
    settings: SettingsDep,
    request: Request,
    response: Response,
    wanted: Annotated[ScheduleStatus | None, Query(alias="status", description="Only schedules in this state.")] = None,
    everybody: Annotated[bool, Query(description="Of your whole tenant; for operators and admins.")] = False,
    limit: Annotated[int | None, Query(ge=1)] = None,
    cursor: Annotated[str | None, Query(max_length=128, description="`next_cursor` of the page before.")] = None,
) -> SchedulePage:
    """Your schedules, newest first."""
    if limit is not None and limit > settings.max_page_limit:
        raise InvalidError(f"MAX_PAGE_LIMIT allows {settings.max_page_limit} schedules", path=("query", "limit"))
    if everybody:
        caller.require_operator()
    asked = ScheduleFilter(wanted, limit=limit or settings.page_limit)
    page = await service.list_page(caller.owner, asked, cursor, everybody=everybody)
    if page.next_cursor:
        following = request.url.include_query_params(cursor=page.next_cursor)
        response.headers["Link"] = f'<{following.path}?{following.query}>; rel="next"'
    return SchedulePage(items=[ScheduleRead.of(each) for each in page.schedules], next_cursor=page.next_cursor)


@router.post("/preview")
async def preview_new_schedule(
    wanted: ScheduleCreate, caller: CallerDep, service: ScheduleServiceDep, count: Count = 5
) -> Preview:
    """The next slots of a schedule that you might add."""
    schedule, slots = await service.preview_new(caller.owner, wanted, count)
    return _preview(schedule, slots)


@router.get("/{schedule_id}")
async def get_schedule(schedule_id: ScheduleId, caller: CallerDep, service: ScheduleServiceDep) -> ScheduleRead:
    """One schedule."""
    return ScheduleRead.of(await service.get(caller.reach, _parse(schedule_id)))


@router.patch("/{schedule_id}")
async def update_schedule(
    schedule_id: ScheduleId, change: ScheduleUpdate, caller: CallerDep, service: ScheduleServiceDep
) -> ScheduleRead:
    """Change a schedule. Its next slot is computed anew from now on."""
    try:
        return ScheduleRead.of(await service.update(caller, _parse(schedule_id), change))
    except ValidationError as error:
        wrong = [{**item, "loc": ("body", *item["loc"])} for item in error.errors(include_url=False)]
        raise RequestValidationError(wrong) from error


@router.delete("/{schedule_id}", status_code=status.HTTP_204_NO_CONTENT)
async def delete_schedule(schedule_id: ScheduleId, caller: CallerDep, service: ScheduleServiceDep) -> None:
    """Remove a schedule and its history. Its jobs stay."""
    await service.delete(caller, _parse(schedule_id))


@router.post("/{schedule_id}/pause")
async def pause_schedule(schedule_id: ScheduleId, caller: CallerDep, service: ScheduleServiceDep) -> ScheduleRead:
    """Let it fire no more until it is resumed."""
    return ScheduleRead.of(await service.pause(caller.reach, _parse(schedule_id)))


@router.post("/{schedule_id}/resume")
async def resume_schedule(schedule_id: ScheduleId, caller: CallerDep, service: ScheduleServiceDep) -> ScheduleRead:
    """Let a paused or disabled schedule fire again, from its next slot on."""
    return ScheduleRead.of(await service.resume(caller.reach, _parse(schedule_id)))


@router.post("/{schedule_id}/run-now", status_code=status.HTTP_202_ACCEPTED)
async def run_schedule_now(
    schedule_id: ScheduleId,
    caller: CallerDep,
    runs: ManualRunsDep,
    response: Response,
    overlap: Annotated[Overlap | None, Query(description="Instead of the schedule's own.")] = None,
) -> FiringRead:
    """Submit its job at once, whatever its times say; while the job before runs, as `overlap` says.

    409 for `skip`. With `buffer_one` the job comes later: `outcome` is `buffered`.
    """
    firing, job = await runs.run(caller.reach, _parse(schedule_id), overlap)
    if job is not None:
        response.headers["Location"] = f"/api/v1/jobs/{job.id}"
    return FiringRead.of(firing, job)


@router.get("/{schedule_id}/preview")
async def preview_schedule(
    schedule_id: ScheduleId, caller: CallerDep, service: ScheduleServiceDep, count: Count = 5
) -> Preview:
    """Its next slots."""
    schedule, slots = await service.preview(caller.reach, _parse(schedule_id), count)
    return _preview(schedule, slots)


@router.post("/{schedule_id}/backfill", status_code=status.HTTP_202_ACCEPTED)
async def backfill_schedule(
    schedule_id: ScheduleId, window: BackfillRequest, caller: CallerDep, service: ScheduleServiceDep
) -> BackfillRead:
    """Fire the slots of a past window that have not fired."""
    made = await service.backfill(caller, _parse(schedule_id), window.start, window.end)
    return BackfillRead(items=[FiringRead.of(firing, job) for firing, job in made])


@router.get("/{schedule_id}/firings")
async def list_firings(
    schedule_id: ScheduleId,
    caller: CallerDep,
    service: ScheduleServiceDep,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[AwareDatetime | None, Query(description="`next_cursor` of the page before.")] = None,
) -> FiringPage:
    """What its slots did, the newest first, with their jobs."""
    found = await service.list_firings(caller.reach, _parse(schedule_id), before=cursor, limit=limit + 1)
    has_more = len(found) > limit
    items = [FiringRead.of(firing, job) for firing, job in found[:limit]]
    return FiringPage(items=items, next_cursor=items[-1].slot.isoformat().replace("+00:00", "Z") if has_more else None)


def _preview(schedule: Schedule, slots: Iterable[datetime]) -> Preview:
    zone = ZoneInfo(schedule.timezone)
    return Preview(items=[SlotRead(slot=slot, local=slot.astimezone(zone).isoformat()) for slot in slots])


def _parse(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise NotFoundError(f"schedule {text[:64]} does not exist") from None
