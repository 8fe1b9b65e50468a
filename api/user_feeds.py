"""The stream of all of one's jobs: live, and after a break from the last event that was seen."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self
from uuid import UUID

from loguru import logger
from redis import RedisError

from api.event_bus import EventBus
from api.streams import Stream, Streams, frame
from common.errors import UnavailableError
from common.events import Event
from common.user_log import UserLog

_AWAY = (RedisError, OSError, TimeoutError)
_PAUSE = 1.0
_REASON = {"reason": "earlier events are gone: read the list of jobs again"}


@dataclass(frozen=True, slots=True)
class _Listener:
    name: str
    user_id: UUID
    stream: Stream


class UserFeeds:
    """Reads users' logs for the streams of this process when the bus says that there is something new."""

    def __init__(self, bus: EventBus, log: UserLog, streams: Streams) -> None:
        self._bus = bus
        self._log = log
        self._streams = streams
        self._calls: dict[UUID, set[asyncio.Event]] = defaultdict(set)

    async def __aenter__(self) -> Self:
        self._bus.add_listener(self)
        return self

    async def __aexit__(self, *_: object) -> None:
        return

    def on_events(self, events: Sequence[Event]) -> None:
        """Part of `BusListener`."""
        for event in events:
            if event.owner_id in self._calls and event.type.startswith("job."):
                self._call(event.owner_id)

    def on_gap(self) -> None:
        """Part of `BusListener`."""
        for user_id in self._calls:
            self._call(user_id)

    @asynccontextmanager
    async def feed(self, name: str, stream: Stream, user_id: UUID, last_id: str | None) -> AsyncIterator[None]:
        """Tell `stream` what happens to the user's jobs behind `last_id`, or from now on, as long as the block lasts.

        Raises `UnavailableError` while Redis is away.
        """
        listener, call = _Listener(name, user_id, stream), asyncio.Event()
        self._calls[user_id].add(call)
        try:
            place = await self._greet(listener, last_id)
            task = asyncio.create_task(self._run(listener, call, place), name="user-feed")
            try:
                yield
            finally:
                task.cancel()
                await asyncio.wait([task])
        finally:
            self._calls[user_id].discard(call)
            if not self._calls[user_id]:
                del self._calls[user_id]

    async def _greet(self, listener: _Listener, last_id: str | None) -> str:
        """The first frames; returns the place behind which the feed goes on."""
        try:
            newest = await self._log.open(listener.user_id)
            is_whole = last_id is None or (await self._log.read(listener.user_id, last_id)).is_whole
        except _AWAY as error:
            raise UnavailableError("events cannot be read now", retry_after=timedelta(seconds=1)) from error
        place = last_id if last_id is not None and is_whole else newest
        data: dict[str, Any] = {"user_id": str(listener.user_id)}
        data |= {"recovered": is_whole, "was_recovering": last_id is not None}
        listener.stream.put(frame("subscribed", data, place))
        if not is_whole:
            listener.stream.put(frame("resync", _REASON, place))
        return place

    async def _run(self, listener: _Listener, call: asyncio.Event, place: str) -> None:
        while True:
            call.clear()
            try:
                place, has_more = await self._tell(listener, place)
            except _AWAY:
                await asyncio.sleep(_PAUSE)
                continue
            except Exception:
                logger.exception("A user's feed failed")
                await self._streams.disconnect(listener.name, "internal_error", "come back with the last id")
                return
            if not await self._streams.drain(listener.name):
                return
            if not has_more:
                await self._wait(call)

    async def _tell(self, listener: _Listener, place: str) -> tuple[str, bool]:
        page = await self._log.read(listener.user_id, place)
        if not page.is_whole:
            place = await self._log.open(listener.user_id)
            listener.stream.put(frame("resync", _REASON, place))
            return place, False
        for seen, event in page.events:
            listener.stream.put(frame(event.type, event.public(), seen))
            place = seen
        return place, page.has_more

    async def _wait(self, call: asyncio.Event) -> None:
        """Until there is something, or the log would soon go."""
        try:
            async with asyncio.timeout(self._log.retention.total_seconds() / 4):
                await call.wait()
        except TimeoutError:
            return

    def _call(self, user_id: UUID) -> None:
        for call in self._calls[user_id]:
            call.set()
