"""The api's ear on Redis: one pub/sub connection a process, and whoever wants to hear about jobs."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from secrets import token_hex
from typing import Any, Protocol, Self
from uuid import UUID

from loguru import logger
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import ConnectionError as RedisConnectionError

from api.job_watch import JobWatch
from common.canary import Canary
from common.events import Event, parse_batch
from common.redis import RedisKeys

_FIRST_BACKOFF = 0.1
_LAST_BACKOFF = 2.0
_LOOK_EVERY = 1.0
_FOREIGN_LIMIT = 1000
_FOREIGN_BYTES = 1024 * 1024


class BusListener(Protocol):
    """Called from the listening task; must neither wait nor raise."""

    def on_events(self, events: Sequence[Event]) -> None:
        """Events as published, in order; a job's numbers tell whether one is missing."""
        ...

    def on_gap(self) -> None:
        """The connection was (re)made: what was published before is lost to this process."""
        ...


class EventBus:
    """Hears every event of every job. `async with bus:` starts it; the lifespan enters it before `Realtime`.

    It never gives up: a lost or silent connection is replaced with growing waits (0.1 s to 2 s), and everybody is
    told of the possible gap. `redis` must be a client for listeners (`create_redis(settings, blocking=True)`); a
    message of its own, sent each second through the client `voice`, tells it whether it hears.
    """

    def __init__(self, redis: Redis, keys: RedisKeys, voice: Redis) -> None:
        self._redis = redis
        self._canary = Canary(voice, keys.canary_channel(token_hex(8)))
        self._event_channel = keys.event_channel.encode()
        self._foreign_channel = keys.socketio_channel.encode()
        self._listeners: list[BusListener] = []
        self._watches: dict[UUID, set[JobWatch]] = defaultdict(set)
        self._foreign: asyncio.Queue[bytes] = asyncio.Queue(_FOREIGN_LIMIT)
        self._tasks: list[asyncio.Task[None]] = []
        self._backoff = _FIRST_BACKOFF
        self._connected_at: float | None = None
        self._was_reported = False
        self.malformed = 0
        self.connections = 0

    async def __aenter__(self) -> Self:
        self._tasks = [
            asyncio.create_task(self._run(), name="event-bus"),
            asyncio.create_task(self._canary.run(), name="event-bus-canary"),
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
            self._tasks = []

    @property
    def is_connected(self) -> bool:
        """Whether events arrive right now."""
        return self._connected_at is not None

    @property
    def is_deaf(self) -> bool:
        """Whether Redis works and this process hears nothing all the same; for readiness."""
        return self._canary.is_deaf

    @property
    def silent_for(self) -> float:
        """Seconds since anything was heard, the own message of each second included."""
        return self._canary.age

    @property
    def silences(self) -> int:
        """How often nothing was heard for over 3 s, so that the connection was made anew."""
        return self._canary.silences

    @property
    def connected_for(self) -> float:
        """Seconds since the connection was made; 0 without one."""
        return 0.0 if self._connected_at is None else asyncio.get_running_loop().time() - self._connected_at

    def add_listener(self, listener: BusListener) -> None:
        """Tell `listener` everything from now on."""
        self._listeners.append(listener)

    @asynccontextmanager
    async def watch(self, job_id: UUID) -> AsyncIterator[JobWatch]:
        """Follow one job inside this process. Enter before reading its row, so that nothing falls in between."""
        watch = JobWatch()
        self._watches[job_id].add(watch)
        try:
            yield watch
        finally:
            self._watches[job_id].discard(watch)
            if not self._watches[job_id]:
                del self._watches[job_id]

    async def next_foreign(self) -> bytes:
        """The next raw message on python-socketio's own channel."""
        return await self._foreign.get()

    def drop(self, what: str) -> None:
        """Count a message that is not ours; the first one of each connection is also logged."""
        self.malformed += 1
        if not self._was_reported:
            self._was_reported = True
            logger.warning("Dropped {}; more of them are only counted", what)

    async def _run(self) -> None:
        while True:
            try:
                async with self._redis.pubsub() as pubsub:
                    self._canary.listening()
                    await pubsub.subscribe(self._canary.channel, self._event_channel, self._foreign_channel)
                    await self._listen(pubsub)
            except Exception as error:
                self._disconnected(error)
            await asyncio.sleep(self._backoff)
            self._backoff = min(self._backoff * 2, _LAST_BACKOFF)

    async def _listen(self, pubsub: PubSub) -> None:
        while True:
            message = await pubsub.get_message(timeout=_LOOK_EVERY)
            if message is not None:
                self._handle(message)
                await asyncio.sleep(0)  # a burst must not keep the others from running
            elif self._canary.is_silent:
                raise RedisConnectionError("Redis does not answer")

    def _handle(self, message: dict[str, Any]) -> None:
        channel, data = message["channel"], message["data"]
        if message["type"] == "subscribe" and channel == self._foreign_channel:
            self._connected()
        elif message["type"] == "message" and channel == self._canary.channel:
            self._canary.heard()
        elif message["type"] == "message" and channel == self._event_channel:
            self._handle_events(data)
        elif message["type"] == "message" and channel == self._foreign_channel:
            self._handle_foreign(data)

    def _handle_events(self, data: bytes) -> None:
        try:
            events = parse_batch(data)
        except ValueError:
            self.drop("a message on the event channel that is no batch of events")
            return
        for event in events:
            for watch in self._watches.get(event.job_id, ()):
                watch.put(event)
        for listener in self._listeners:
            listener.on_events(events)

    def _handle_foreign(self, data: bytes) -> None:
        if len(data) > _FOREIGN_BYTES:
            self.drop("a message on the Socket.IO channel that is too large")
            return
        with suppress(asyncio.QueueFull):
            self._foreign.put_nowait(data)
            return
        self.drop("a message on the Socket.IO channel, which is overrun")

    def _connected(self) -> None:
        """Redis confirmed the last subscription; also after a reconnect that the client made by itself."""
        self._connected_at = asyncio.get_running_loop().time()
        self._backoff = _FIRST_BACKOFF
        self._was_reported = False
        self.connections += 1
        if self.connections > 1:
            logger.info("Events arrive again; what was missed is read from the logs")
        for watches in self._watches.values():
            for watch in watches:
                watch.put(None)
        for listener in self._listeners:
            listener.on_gap()

    def _disconnected(self, error: Exception) -> None:
        if self._connected_at is not None or self._backoff == _FIRST_BACKOFF:
            logger.warning("No events arrive, trying again: {}", type(error).__name__)
        self._connected_at = None
