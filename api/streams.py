"""Server-sent events: the `Audience` whose listeners are open HTTP answers."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from pydantic_core import to_json

from api.thread_places import ThreadPlaces
from common.events import is_terminal

_LAG_SHARE = 4
_CHUNK = 64 * 1024
_NAMES = {"job:reset": "reset", "thread:reset": "reset", "job:resync": "resync", "server:disconnect": "disconnect"}


class Stream:
    """What waits for one open answer. `None` in the queue ends it."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.rooms: set[str] = set()
        self.ends_with_job = False
        self.places: ThreadPlaces | None = None
        self.is_closed = False

    def put(self, frame: bytes) -> None:
        """Queue a frame, unless the stream is over."""
        if not self.is_closed:
            self.queue.put_nowait(frame)

    def end(self, *frames: bytes) -> None:
        """Nothing comes after these."""
        for frame in frames:
            self.put(frame)
        if not self.is_closed:
            self.is_closed = True
            self.queue.put_nowait(None)

    async def next(self, heartbeat: timedelta) -> bytes | None:
        """All that waits, up to a limit; a comment when nothing came for `heartbeat`; None at the end."""
        try:
            frame = await asyncio.wait_for(self.queue.get(), heartbeat.total_seconds())
        except TimeoutError:
            return b": keep-alive\n\n"
        self.queue.task_done()
        chunk = b""
        while frame is not None:
            chunk += frame
            if len(chunk) >= _CHUNK or self.queue.empty():
                return chunk
            frame = self.queue.get_nowait()
            self.queue.task_done()
        self.queue.put_nowait(None)  # seen again by the next call
        return chunk or None


class Streams:
    """The open streams of this process.

    `max_backlog` frames may wait for a stream; with a quarter of that it lags. One that takes nothing for `patience`
    is ended.
    """

    def __init__(self, *, max_backlog: int, patience: timedelta) -> None:
        self._max_backlog = max_backlog
        self._patience = patience.total_seconds()
        self._streams: dict[str, Stream] = {}
        self._rooms: dict[str, set[str]] = defaultdict(set)
        self.dropped_slow = 0

    def __len__(self) -> int:
        return len(self._streams)

    def open(self, listener: str) -> Stream:
        """A new stream."""
        stream = self._streams[listener] = Stream()
        return stream

    def forget(self, listener: str) -> None:
        """The answer is over."""
        for room in list(self._streams[listener].rooms):
            self._leave(listener, room)
        del self._streams[listener]

    def end_all(self) -> None:
        """Let every stream end where it is; clients go on elsewhere."""
        for stream in self._streams.values():
            stream.end()

    def end(self, listener: str, reason: str) -> None:
        """Let one stream end, and say why."""
        if (stream := self._streams.get(listener)) is not None:
            stream.end(end_frame(reason))

    def is_connected(self, listener: str) -> bool:
        return listener in self._streams and not self._streams[listener].is_closed

    async def send(self, to: str | None, event: str, data: dict[str, Any]) -> None:
        """Part of `Audience`. A job's own stream ends behind its terminal event."""
        names = list(self._streams) if to is None else [to] if to in self._streams else self.members(to)
        if not names:
            return
        encoded = b"" if event.startswith("thread:") else _encode(event, data)
        is_end = event == "job:event" and is_terminal(data["type"])
        for name in names:
            stream = self._streams[name]
            if stream.places is not None:
                stream.put(_encode_placed(event, data, stream.places))
            elif is_end and stream.ends_with_job:
                stream.end(encoded, end_frame("job ended"))
            else:
                stream.put(encoded)

    def members(self, room: str) -> list[str]:
        return list(self._rooms.get(room, ()))

    async def admit(self, listener: str, room: str) -> None:
        await self.enter_room(listener, room)

    async def enter_room(self, listener: str, room: str) -> None:
        if self.is_connected(listener):
            self._rooms[room].add(listener)
            self._streams[listener].rooms.add(room)

    async def leave_room(self, listener: str, room: str) -> None:
        self._leave(listener, room)

    async def drain(self, listener: str) -> bool:
        """Wait until the client has taken what was sent so far."""
        if (stream := self._streams.get(listener)) is None:
            return False
        try:
            await asyncio.wait_for(stream.queue.join(), self._patience)
        except TimeoutError:
            self._drop(stream)
        return self.is_connected(listener)

    def lagging(self, listeners: Iterable[str]) -> list[str]:
        return [name for name in listeners if self._backlog(name) > self._max_backlog // _LAG_SHARE]

    def drop_slow(self, listeners: Iterable[str]) -> None:
        for name in list(listeners):
            if self._backlog(name) > self._max_backlog:
                self._drop(self._streams[name])

    async def disconnect(self, listener: str, code: str, message: str) -> None:
        if (stream := self._streams.get(listener)) is not None:
            stream.end(frame("disconnect", {"code": code, "message": message}))

    def _backlog(self, listener: str) -> int:
        stream = self._streams.get(listener)
        return 0 if stream is None or stream.is_closed else stream.queue.qsize()

    def _drop(self, stream: Stream) -> None:
        self.dropped_slow += 1
        while not stream.queue.empty():
            stream.queue.get_nowait()
            stream.queue.task_done()
        message = "too many events wait; come back with the last id that you got"
        stream.end(frame("disconnect", {"code": "slow_client", "message": message}))

    def _leave(self, listener: str, room: str) -> None:
        if (stream := self._streams.get(listener)) is not None:
            stream.rooms.discard(room)
        if (members := self._rooms.get(room)) is not None:
            members.discard(listener)
            if not members:
                del self._rooms[room]


def frame(name: str, data: dict[str, Any], place: str | None = None) -> bytes:
    """One event; `place` is what a client that comes back names as its last."""
    line = f"id: {place}\n" if place is not None else ""
    return f"{line}event: {name if name.isprintable() else 'event'}\ndata: ".encode() + to_json(data) + b"\n\n"


def place_of(epoch: str | None, seq: int) -> str | None:
    """A place in a job's log, as an event id."""
    return None if epoch is None else f"{epoch}:{seq}"


def _encode(event: str, data: dict[str, Any]) -> bytes:
    name = _NAMES.get(event) or str(data.get("type", event))
    if event in ("job:event", "job:reset"):
        return frame(name, data, place_of(data["epoch"], data["seq"]))
    return frame(name, data)


def _encode_placed(event: str, data: dict[str, Any], places: ThreadPlaces) -> bytes:
    """A frame of a thread: its place tells of every job that has not ended."""
    name = _NAMES.get(event) or str(data.get("type", event))
    if "turn" in data:
        places.move(data["turn"], data["epoch"], data["seq"], is_over=is_terminal(data.get("type", "")))
    return frame(name, data, str(places))


def end_frame(reason: str) -> bytes:
    """The last frame of a stream that has nothing more to tell."""
    return frame("end", {"reason": reason})
