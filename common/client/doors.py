"""The ways to a job's log over plain HTTP, and what all doors have in common."""

import json
from collections.abc import AsyncGenerator, AsyncIterator
from time import monotonic
from typing import Any, NamedTuple, Protocol

import httpx2

from common.client.errors import ApiError, DoorClosedError
from common.client.http import Http, refusal_of
from common.client.models import Item, JobEvent, Place, read_reset

_WAIT = 10
_STAY = 15.0
_OURS = frozenset({"subscribed", "reset", "end", "disconnect"})


class Door(Protocol):
    """One way to a job's log."""

    name: str

    def follow(self, job_id: str, place: Place) -> AsyncGenerator[Item]:
        """Everything behind `place`. Ends when another door may be tried; the caller stops at the last event.

        Raises `DoorClosedError` when it does not work, `ApiError` when the api refuses.
        """
        ...

    async def aclose(self) -> None:
        """Let go of what is open."""
        ...


class EventStreamDoor:
    """Server-sent events."""

    name = "sse"

    def __init__(self, http: Http) -> None:
        self._http = http

    async def follow(self, job_id: str, place: Place) -> AsyncGenerator[Item]:
        """See `Door.follow`."""
        last_id = f"{place.epoch}:{place.seq}" if place.epoch else None
        path = f"/jobs/{job_id}/events" + (f"?after_seq={place.seq}" if place.seq and not place.epoch else "")
        opened = float("inf")
        try:
            async with self._http.stream(path, last_id) as answer:
                if answer.status_code == httpx2.codes.NO_CONTENT:
                    raise DoorClosedError("the job has ended, and its end was seen before")
                if answer.status_code != httpx2.codes.OK:
                    await answer.aread()
                    raise _temporary(refusal_of(answer))
                opened = monotonic()
                async for frame in frames(answer.aiter_lines()):
                    item = _read_frame(frame.name, frame.data)
                    if item is not None:
                        yield item
        except httpx2.HTTPError as error:
            raise DoorClosedError(type(error).__name__, open_for=monotonic() - opened) from error

    async def aclose(self) -> None:
        """Every stream closes with its generator."""


class PageDoor:
    """Long polling of pages. Stays for a while only, because the other doors are better."""

    name = "poll"

    def __init__(self, http: Http) -> None:
        self._http = http

    async def follow(self, job_id: str, place: Place) -> AsyncGenerator[Item]:
        """See `Door.follow`."""
        until = monotonic() + _STAY
        while monotonic() < until:
            query = f"?after_seq={place.seq}" + (f"&epoch={place.epoch}" if place.epoch else "")
            page = await self._page(f"/jobs/{job_id}/events{query}")
            if not page["recovered"]:
                # The events after the gap are in this page already; the reset's place is before them.
                first = page["events"][0]["seq"] - 1 if page["events"] else page["seq"]
                yield read_reset({**page, "seq": first})
            for event in page["events"]:
                yield JobEvent.model_validate(event)
            place = Place(page["seq"], page["epoch"])

    async def aclose(self) -> None:
        """Nothing stays open."""

    async def _page(self, path: str) -> dict[str, Any]:
        page: dict[str, Any] = await self._http.request("GET", path, wait=_WAIT, headers={"Accept": "application/json"})
        return page


class Frame(NamedTuple):
    """One server-sent event."""

    name: str
    data: Any
    id: str | None


async def frames(lines: AsyncIterator[str]) -> AsyncGenerator[Frame]:
    """The events of an open stream."""
    name, data, place = "message", "", None
    async for line in lines:
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if line == "":
            if data:
                yield Frame(name, json.loads(data), place)
            name, data, place = "message", "", None
        elif field == "event":
            name = value
        elif field == "id":
            place = value
        elif field == "data":
            data += value


def _read_frame(name: str, data: dict[str, Any]) -> Item | None:
    if name not in _OURS:
        return JobEvent.model_validate(data)
    if name == "disconnect":
        if data["code"] == "unauthorized":
            raise ApiError(401, data["code"], data["message"])
        raise DoorClosedError(data["message"])
    if name == "reset" or (name == "subscribed" and not data["recovered"]):
        return read_reset(data)
    return None


def _temporary(error: ApiError) -> Exception:
    """What another door, or a later moment, may still make good is no refusal."""
    return DoorClosedError(str(error)) if error.status == 429 or error.status >= 500 else error
