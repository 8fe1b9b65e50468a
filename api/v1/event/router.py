"""/jobs/{id}/events and /events: what happened and what happens, over plain HTTP."""

from typing import Annotated, Any

from fastapi import Header, Response, status

from api.dependencies import CallerDep, SettingsDep
from api.feature import feature_router
from api.v1.event.dependencies import EventStreamsDep, PlaceDep, ThreadPlacesDep, VisitorDep, WantsPageDep
from api.v1.event.response import EventStreamResponse
from api.v1.event.schema import EventPageRead
from api.v1.job.dependencies import JobIdDep, WaitDep
from api.v1.thread.router import ThreadIdDep

router = feature_router(tag="events")

_STREAM: dict[str, Any] = {"content": {"text/event-stream": {"schema": {"type": "string"}}}}
_OVER: dict[int | str, dict[str, Any]] = {204: {"description": "The job has ended, and you have seen it."}}


@router.get("/jobs/{job_id}/events", response_model=EventPageRead, responses={200: _STREAM, **_OVER})
async def stream_job_events(
    job_id: JobIdDep,
    caller: CallerDep,
    visitor: VisitorDep,
    place: PlaceDep,
    wait: WaitDep,
    is_page: WantsPageDep,
    streams: EventStreamsDep,
    settings: SettingsDep,
    response: Response,
) -> EventPageRead | Response:
    """The job's events after your place, then live until its end, as server-sent events.

    With `Accept: application/json` a page of them instead; `Prefer: wait=N` holds it until there is something new.
    """
    job = await streams.find(job_id, caller.reach)
    if is_page:
        if wait:
            response.headers["Preference-Applied"] = f"wait={int(wait.total_seconds())}"
        return EventPageRead.of(await streams.read(job, place, wait, caller.reach), place)
    streams.knock(visitor)
    if await streams.is_over(job, place):
        return Response(status_code=status.HTTP_204_NO_CONTENT)
    return EventStreamResponse(streams.open_job(visitor, job, place), settings.sse_heartbeat)


@router.get("/threads/{thread_id}/events", response_class=Response, responses={200: _STREAM})
async def stream_thread_events(
    thread_id: ThreadIdDep,
    visitor: VisitorDep,
    places: ThreadPlacesDep,
    streams: EventStreamsDep,
    settings: SettingsDep,
) -> Response:
    """All events of all jobs of a thread, streamed text included: behind your place, or of those that wait or run now.

    Each is that of its job, with `thread_id` and `turn`. The stream goes on from job to job until you leave.
    """
    streams.knock(visitor)
    return EventStreamResponse(streams.open_thread(visitor, thread_id, places), settings.sse_heartbeat)


@router.get("/events", response_class=Response, responses={200: _STREAM})
async def stream_user_events(
    visitor: VisitorDep,
    streams: EventStreamsDep,
    settings: SettingsDep,
    last_event_id: Annotated[str | None, Header(description="The last id that you saw.")] = None,
) -> Response:
    """The lifecycle of all of your jobs: what happened behind your place, then live.

    `resync` means that your place is gone, and events with it: read the list again.
    """
    streams.knock(visitor)
    opening = streams.open_user(visitor, last_event_id or None)
    return EventStreamResponse(opening, settings.sse_heartbeat)
