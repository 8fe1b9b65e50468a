"""Following a thread: every job of it as it comes, each from its own log, in order and once."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Self
from uuid import UUID

from loguru import logger

from api.audience import Audience
from api.event_bus import EventBus
from api.feed import AWAY
from api.job_history import JobHistory, Position, has_ended
from api.relay import Relay
from api.thread_audience import ThreadAudience
from api.thread_places import ThreadPlaces
from common.database.session import Sessions
from common.errors import NotFoundError
from common.events import Event, EventType, is_terminal
from common.repository.job import Owner
from common.repository.thread_job import ThreadJob, ThreadJobRepository

_MOST_JOBS = 100
_LOOK_EVERY = 1.0
_PAUSE = 0.02
_FIND_EVERY = 10.0
_BEGINNING = Position(None, 0, 0, recovered=True)
_UNKNOWN = "unknown"

type Closed = Callable[[str, UUID], Awaitable[None]]


@dataclass(slots=True)
class _Followed:
    """A thread with its listeners, each with its places, and where the logs of jobs that ended were left."""

    owner: Owner
    listeners: dict[str, ThreadPlaces] = field(default_factory=dict)
    over: dict[UUID, Position] = field(default_factory=dict)
    find_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Joined:
    """What a listener is told first. Without `recovered` jobs of the thread were left out: read its messages again."""

    recovered: bool
    jobs: list[dict[str, Any]]


class ThreadFeeds:
    """The followed threads of one door. `async with feeds:` starts it; `closed` is called when a thread was deleted."""

    def __init__(
        self, bus: EventBus, sessions: Sessions, history: JobHistory, audience: Audience, closed: Closed
    ) -> None:
        self._bus = bus
        self._sessions = sessions
        self._jobs = ThreadJobRepository()
        self._history = history
        self._closed = closed
        self._audience = ThreadAudience(audience)
        self._relay = Relay(bus, history, self._audience)
        self._followed: dict[UUID, _Followed] = {}
        self._threads: dict[str, set[UUID]] = defaultdict(set)
        self._call = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._relay.__aenter__()
        self._bus.add_listener(self)
        self._task = asyncio.create_task(self._run(), name="thread-feeds")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self._relay.__aexit__()

    def count(self, listener: str) -> int:
        """How many threads it follows."""
        return len(self._threads.get(listener, ()))

    def on_events(self, events: Sequence[Event]) -> None:
        """Part of `BusListener`. A new job of an owner who is listened to may be one of a followed thread."""
        queued = {event.owner_id for event in events if event.type == EventType.QUEUED} if self._followed else ()
        for followed in self._followed.values() if queued else ():
            if followed.owner.user_id in queued:
                followed.find_at = 0.0
                self._call.set()

    def on_gap(self) -> None:
        """Part of `BusListener`."""
        for followed in self._followed.values():
            followed.find_at = 0.0
        self._call.set()

    async def subscribe(
        self, listener: str, thread_id: UUID, owner: Owner, places: ThreadPlaces, *, is_back: bool
    ) -> Joined:
        """Deliver what happens to jobs of the thread; `is_back`: behind `places`, else those that wait or run now.

        Delivery begins with the next turn of the loop. `places` are moved to where it begins. Raises `NotFoundError`.
        """
        await self.unsubscribe(listener, thread_id)
        known, seen = places.base, dict(places.seen)
        newest, found = await self._list(thread_id, owner, _lowest(places) if is_back else None)
        is_whole = len(found) <= _MOST_JOBS and known <= newest
        if not is_whole:
            known, seen = newest, {}
            _, found = await self._list(thread_id, owner, None)
        starts = []
        for each in found[:_MOST_JOBS]:
            position = await self._start(each, seen.get(each.turn), is_known=each.turn <= known)
            if position is not None:
                starts.append((each, position, await self._show(owner, each, position)))
        places.base = newest
        places.seen.clear()
        followed = self._followed.setdefault(thread_id, _Followed(owner))
        followed.listeners[listener] = places
        self._threads[listener].add(thread_id)
        for each, position, _ in starts:
            await self._follow(listener, thread_id, each, position)
        followed.find_at = 0.0
        self._call.set()
        return Joined(is_whole, [shown for _, _, shown in starts])

    async def unsubscribe(self, listener: str, thread_id: UUID) -> bool:
        """Stop delivering; False when it did not follow the thread."""
        if thread_id not in self._threads.get(listener, ()):
            return False
        self._leave(listener, thread_id)
        for job_id in self._audience.jobs_of(thread_id):
            await self._relay.unsubscribe(listener, job_id)
        return True

    def forget(self, listener: str) -> None:
        """Drop everything of a listener that is gone."""
        for thread_id in list(self._threads.get(listener, ())):
            self._leave(listener, thread_id)
        self._relay.forget(listener)

    def _leave(self, listener: str, thread_id: UUID) -> None:
        self._threads[listener].discard(thread_id)
        if not self._threads[listener]:
            del self._threads[listener]
        followed = self._followed[thread_id]
        del followed.listeners[listener]
        if not followed.listeners:
            del self._followed[thread_id]

    async def _list(self, thread_id: UUID, owner: Owner, behind: int | None) -> tuple[int, list[ThreadJob]]:
        """The newest turn, and what waits or runs; with `behind` also all that came after that turn."""
        async with self._sessions() as db:
            newest = await self._jobs.newest_turn(db, thread_id, owner)
            if newest is None:
                raise NotFoundError(f"thread {thread_id} does not exist")
            return newest, await self._jobs.list(db, thread_id, owner, behind=behind, limit=_MOST_JOBS + 1)

    async def _start(self, each: ThreadJob, seen: tuple[str | None, int] | None, *, is_known: bool) -> Position | None:
        """Where a listener begins with a job; None when it has heard its end."""
        if seen is None and is_known:
            # Over for the listener; it was retried since, unless it has ended. Where it was left is not known.
            return await self._history.locate_patiently(each.job, 1, _UNKNOWN) if each.is_active else None
        epoch, seq = seen or (None, 0)
        position = await self._history.locate_patiently(each.job, seq, epoch)
        if has_ended(each.job) and seq and position.recovered and position.start == position.seq:
            last = await self._history.read(each.job.id, after_seq=seq - 1, epoch=epoch, limit=1)
            return None if last.events and is_terminal(last.events[-1].type) else position
        return position

    async def _show(self, owner: Owner, each: ThreadJob, position: Position) -> dict[str, Any]:
        shown: dict[str, Any] = {"job_id": str(each.job.id), "turn": each.turn, "epoch": position.epoch}
        shown |= {"seq": position.seq, "recovered": position.recovered}
        if not position.recovered:
            shown["snapshot"] = self._history.show(await self._history.get(each.job.id, owner))
        return shown

    async def _follow(self, listener: str, thread_id: UUID, each: ThreadJob, position: Position) -> None:
        """Without a pause between looking and subscribing, so that nobody is subscribed twice."""
        if not self._relay.follows(listener, each.job.id):
            self._followed[thread_id].listeners[listener].move(each.turn, position.epoch, position.start)
            self._audience.name(each.job.id, thread_id, each.turn)
            await self._relay.subscribe(listener, each.job, position)

    async def _run(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_EVERY):
                    await self._call.wait()
            self._call.clear()
            try:
                await self._retire()
                for thread_id, followed in list(self._followed.items()):
                    if followed.find_at <= monotonic():
                        await self._find(thread_id, followed)
            except Exception:
                logger.exception("Looking after threads failed")
            await asyncio.sleep(_PAUSE)

    async def _find(self, thread_id: UUID, followed: _Followed) -> None:
        """Jobs that nobody follows yet, for each listener."""
        followed.find_at = monotonic() + _FIND_EVERY
        try:
            lowest = min(places.base for places in followed.listeners.values())
            _, found = await self._list(thread_id, followed.owner, lowest)
        except NotFoundError:
            for listener in list(followed.listeners):
                await self.unsubscribe(listener, thread_id)
                await self._closed(listener, thread_id)
            return
        except AWAY as error:
            logger.warning("New jobs of a thread wait: {}", type(error).__name__)
            followed.find_at = monotonic() + _LOOK_EVERY
            return
        for each in found:
            for listener, places in list(followed.listeners.items()):
                left = followed.over.get(each.job.id, _BEGINNING)
                if each.turn > places.base or (each.is_active and each.turn not in places.seen):
                    await self._follow(listener, thread_id, each, left if each.turn <= places.base else _BEGINNING)

    async def _retire(self) -> None:
        """Let go of jobs that have ended; where their logs were left is kept in case they are retried."""
        for listener, thread_ids in list(self._threads.items()):
            for job_id, position in await self._relay.retire(listener):
                about = self._audience.about(job_id)
                if about is None or about[0] not in thread_ids:
                    continue
                followed = self._followed[about[0]]
                followed.listeners[listener].move(about[1], None, 0, is_over=True)
                followed.over[job_id] = position
                while len(followed.over) > _MOST_JOBS:
                    del followed.over[next(iter(followed.over))]
        self._audience.keep(self._relay.job_ids)


def _lowest(places: ThreadPlaces) -> int:
    """The turn behind which a listener may have missed something."""
    return min([places.base, *(turn - 1 for turn in places.seen)])
