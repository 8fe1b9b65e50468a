"""Following a thread: the events of all of its jobs over one stream, going on wherever that breaks."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from time import monotonic
from typing import Any

import httpx2

from common.client.doors import Frame, frames
from common.client.errors import ApiError, DoorClosedError, UnreachableError
from common.client.http import Http, refusal_of
from common.client.models import JobEvent, ThreadEvent, read_reset

_PAUSE = 0.2


async def follow_thread(http: Http, thread_id: str, place: str | None) -> AsyncGenerator[ThreadEvent]:
    """Everything behind `place`, until the thread is deleted.

    Raises `ApiError` when the api refuses, `UnreachableError` after `patience` seconds without it.
    """
    deadline = monotonic() + http.patience
    while True:
        try:
            async with aclosing(_read(http, thread_id, place)) as found:
                async for frame in found:
                    deadline = monotonic() + http.patience
                    place = frame.id or place
                    if frame.name == "end" and "deleted" in frame.data["reason"]:
                        return
                    for event in _events(frame, place or ""):
                        yield event
        except (DoorClosedError, httpx2.HTTPError) as error:
            if monotonic() > deadline:
                raise UnreachableError(f"{http.url}: {error or type(error).__name__}") from error
        await asyncio.sleep(_PAUSE)


async def _read(http: Http, thread_id: str, place: str | None) -> AsyncGenerator[Frame]:
    async with http.stream(f"/threads/{thread_id}/events", place) as answer:
        if answer.status_code != httpx2.codes.OK:
            await answer.aread()
            refusal = refusal_of(answer)
            raise DoorClosedError(str(refusal)) if refusal.status == 429 or refusal.status >= 500 else refusal
        async with aclosing(frames(answer.aiter_lines())) as found:
            async for frame in found:
                if frame.name == "disconnect":
                    if frame.data["code"] == "unauthorized":
                        raise ApiError(401, frame.data["code"], frame.data["message"])
                    raise DoorClosedError(frame.data["message"])
                yield frame


def _events(frame: Frame, place: str) -> Iterator[ThreadEvent]:
    if frame.name == "end":
        return
    if frame.name == "subscribed":
        if not frame.data["recovered"]:
            yield ThreadEvent(place)
        lost: list[dict[str, Any]] = [job for job in frame.data["jobs"] if not job["recovered"]]
        yield from (ThreadEvent(place, job["turn"], read_reset(job)) for job in lost)
        return
    item = read_reset(frame.data) if frame.name == "reset" else JobEvent.model_validate(frame.data)
    yield ThreadEvent(place, frame.data["turn"], item)
