"""Following a job across doors: whatever breaks, the next item is the one behind the last."""

import asyncio
import importlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from time import monotonic

from common.client.doors import Door, EventStreamDoor, PageDoor
from common.client.errors import DoorClosedError, UnreachableError
from common.client.http import Http
from common.client.models import Item, JobEvent, Place

_PAUSE, _REST, _STEADY = 0.2, 30.0, 1.0
DOORS = ("socketio", "sse", "poll")


class Follower:
    """Tries the doors in order, goes on at the next one where one breaks, and begins with the first again later."""

    def __init__(self, http: Http, doors: Sequence[str]) -> None:
        unknown = set(doors) - set(DOORS)
        if unknown or not doors:
            raise ValueError(f"doors are {', '.join(DOORS)}; not {', '.join(sorted(unknown)) or 'none'}")
        self._http = http
        self._names = list(doors)
        self._doors: dict[str, Door] = {}
        self._resting: dict[str, float] = {}

    async def aclose(self) -> None:
        """Close every door."""
        for door in self._doors.values():
            await door.aclose()

    async def follow(self, job_id: str, place: Place) -> AsyncGenerator[Item]:
        """Every event behind `place`, in order and once, up to the job's last.

        Raises `ApiError` when the api refuses, `UnreachableError` after `patience` seconds without any door.
        """
        deadline = monotonic() + self._http.patience
        while True:
            for name in self._awake():
                came = place
                try:
                    async with aclosing(self._news(self._door(name), job_id, place)) as items:
                        async for item in items:
                            place = Place(item.seq, item.epoch)
                            deadline = monotonic() + self._http.patience
                            yield item
                            if _is_end(item):
                                return
                    deadline = monotonic() + self._http.patience  # it worked, there was nothing to tell
                except DoorClosedError as error:
                    if error.open_for >= _STEADY:  # silence is no absence: a job may have nothing to tell for hours
                        deadline = monotonic() + self._http.patience
                    elif place == came:
                        self._resting[name] = monotonic() + _REST
                    if monotonic() > deadline:
                        raise UnreachableError(f"{self._http.url}: no door is open; the last said: {error}") from error
                if place != came:
                    break
            await asyncio.sleep(_PAUSE)

    async def _news(self, door: Door, job_id: str, place: Place) -> AsyncGenerator[Item]:
        """What a door tells behind `place`. Raises `DoorClosedError` where it left something out."""
        async with aclosing(door.follow(job_id, place)) as items:
            async for item in items:
                if isinstance(item, JobEvent):
                    if _is_known(item, place):
                        continue
                    if not _follows(item, place):
                        raise DoorClosedError("a number is missing")
                place = Place(item.seq, item.epoch)
                yield item

    def _awake(self) -> list[str]:
        """The doors to try: those that failed a moment ago only when all others did too."""
        now = monotonic()
        awake = [name for name in self._names if self._resting.get(name, 0) <= now]
        return awake or self._names

    def _door(self, name: str) -> Door:
        if name not in self._doors:
            self._doors[name] = self._open(name)
        return self._doors[name]

    def _open(self, name: str) -> Door:
        match name:
            case "sse":
                return EventStreamDoor(self._http)
            case "poll":
                return PageDoor(self._http)
            case _:
                # Only who uses it pays for it: the library and what it needs take 0.3 s to import.
                door: Door = importlib.import_module("common.client.socket_door").create_door(self._http)
                return door


def _is_end(item: Item) -> bool:
    return isinstance(item, JobEvent) and item.is_terminal


def _is_known(event: JobEvent, place: Place) -> bool:
    return event.epoch == place.epoch and event.seq <= place.seq


def _follows(event: JobEvent, place: Place) -> bool:
    same_log = place.epoch in (None, event.epoch)
    return same_log and event.first <= place.seq + 1 <= event.seq
