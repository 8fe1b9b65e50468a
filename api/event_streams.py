"""The doors for HTTP clients: a job's events as a stream or a page, and the lifecycle of all of one's jobs."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic
from typing import Any, Self
from uuid import UUID

from redis import RedisError

from api.admission import Admission
from api.caller import Caller
from api.config import ApiSettings
from api.event_bus import EventBus
from api.job_history import JobHistory, Position, has_ended
from api.relay import Relay
from api.streams import Stream, Streams, frame, place_of
from api.thread_feeds import ThreadFeeds
from api.thread_places import ThreadPlaces
from api.token_watch import TokenWatch
from api.user_feeds import UserFeeds
from api.waiter import JobWaiter
from common.database.model import Job
from common.database.session import Sessions
from common.errors import UnavailableError
from common.events import EventPage, is_terminal
from common.ids import new_id
from common.repository.job import Reach
from common.user_log import UserLog

_PAGE = 200
_BRIEF = 1.0


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who opens a stream, from where, and how to find out later whether they still may read it."""

    caller: Caller
    address: str
    identify: Callable[[], Awaitable[Caller]]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a client was: the last number that it saw, and of which log."""

    after_seq: int = 0
    epoch: str | None = None
    was_given: bool = False


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Events after a place. Without `recovered` the `job` replaces what the client knew."""

    job: Job
    position: Position
    page: EventPage

    @property
    def has_ended(self) -> bool:
        """Whether the last event of the job is in here, or was seen before."""
        events = self.page.events
        last = is_terminal(events[-1].type) if events else has_ended(self.job)
        return last and (not events or events[-1].seq == self.page.seq)


class EventStreams:
    """Server-sent events and pages of one api process. `async with streams:` starts it; the bus goes first."""

    def __init__(
        self,
        settings: ApiSettings,
        bus: EventBus,
        history: JobHistory,
        waiter: JobWaiter,
        admission: Admission,
        user_log: UserLog,
        sessions: Sessions,
    ) -> None:
        self._settings = settings
        self._history = history
        self._waiter = waiter
        self._admission = admission
        self.streams = Streams(max_backlog=settings.max_client_backlog, patience=settings.slow_client_timeout)
        self.relay = Relay(bus, history, self.streams)
        self._feeds = UserFeeds(bus, user_log, self.streams)
        self._threads = ThreadFeeds(bus, sessions, history, self.streams, self._close)
        self._tokens = TokenWatch(settings.token_recheck_interval)
        self._stack = AsyncExitStack()
        self._is_stopping = False

    async def __aenter__(self) -> Self:
        for part in (self.relay, self._feeds, self._threads, self._tokens):
            await self._stack.enter_async_context(part)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stop()
        await self._stack.aclose()

    def stop(self) -> None:
        """The process ends: let every open answer end, and no new one begin."""
        self._is_stopping = True
        self.streams.end_all()

    async def find(self, job_id: UUID, owner: Reach) -> Job:
        """The job, if it is within reach. Raises `NotFoundError`, or `GoneError` for a purged one."""
        return await self._history.get(job_id, owner)

    def knock(self, visitor: Visitor) -> None:
        """Whether another stream may be opened. Raises `RateLimitedError`, or `UnavailableError` at the end."""
        if self._is_stopping:
            raise UnavailableError("this process is stopping; come back at once", retry_after=timedelta(seconds=1))
        self._admission.knock(visitor.address)

    async def read(self, job: Job, place: Place, wait: timedelta, owner: Reach) -> HistoryPage:
        """The events after a place, as soon as there are any, or what there is after `wait`.

        Raises `UnavailableError` while Redis is away.
        """
        deadline = monotonic() + wait.total_seconds()
        async with self._waiter.watch(job.id) as watch:
            while True:
                found = await self._page(job, place)
                is_news = found.page.events or not found.position.recovered or has_ended(job, seconds_ago=_BRIEF)
                if is_news or not await watch.wait_change(deadline - monotonic(), any_event=True):
                    return found
                job = await self.find(job.id, owner)

    async def is_over(self, job: Job, place: Place) -> bool:
        """Whether a client at this place has seen the job's last event. False while Redis is away."""
        if not (place.was_given and place.after_seq and has_ended(job)):
            return False
        try:
            found = await self._page(job, place)
        except UnavailableError:
            return False
        return found.position.recovered and not found.page.events

    @asynccontextmanager
    async def open_job(self, visitor: Visitor, job: Job, place: Place) -> AsyncIterator[Stream]:
        """A stream of the job's events after a place, then live, to its end. Raises `RateLimitedError`."""
        async with self._open(visitor) as (listener, stream):
            stream.ends_with_job = True
            position = await self._history.locate_patiently(job, place.after_seq, place.epoch)
            stream.put(self._greeting(job, position, place))
            await self.relay.subscribe(listener, job, position)
            try:
                yield stream
            finally:
                self.relay.forget(listener)

    @asynccontextmanager
    async def open_user(self, visitor: Visitor, last_id: str | None) -> AsyncIterator[Stream]:
        """A stream of the lifecycle of all jobs of the visitor, behind `last_id` or from now on.

        Raises `RateLimitedError`, and `UnavailableError` while Redis is away.
        """
        async with self._open(visitor) as (listener, stream):
            user_id = visitor.caller.owner.user_id
            async with self._feeds.feed(listener, stream, user_id, last_id):
                yield stream

    @asynccontextmanager
    async def open_thread(
        self, visitor: Visitor, thread_id: UUID, places: ThreadPlaces | None
    ) -> AsyncIterator[Stream]:
        """A stream of all jobs of the visitor's thread, behind `places` or those that wait or run now, then live.

        Raises `RateLimitedError`, and `NotFoundError` for the threads of others.
        """
        async with self._open(visitor) as (listener, stream):
            stream.places = places or ThreadPlaces()
            try:
                owner, is_back = visitor.caller.owner, places is not None
                joined = await self._threads.subscribe(listener, thread_id, owner, stream.places, is_back=is_back)
                data = {"thread_id": str(thread_id), "recovered": joined.recovered, "was_recovering": is_back}
                stream.put(frame("subscribed", {**data, "jobs": joined.jobs}, str(stream.places)))
                yield stream
            finally:
                self._threads.forget(listener)

    async def _close(self, listener: str, _thread_id: UUID) -> None:
        self.streams.end(listener, "thread deleted")

    @asynccontextmanager
    async def _open(self, visitor: Visitor) -> AsyncIterator[tuple[str, Stream]]:
        listener = f"sse-{new_id()}"
        self._admission.enter(visitor.caller.user_id, visitor.address)
        stream = self.streams.open(listener)

        async def send_away() -> None:
            await self.streams.disconnect(listener, "unauthorized", "the token is not valid any more")

        self._tokens.add(listener, visitor.caller, visitor.identify, send_away)
        try:
            yield listener, stream
        finally:
            self._tokens.remove(listener)
            self.streams.forget(listener)
            self._admission.leave(visitor.caller.user_id, visitor.address)

    def _greeting(self, job: Job, position: Position, place: Place) -> bytes:
        data: dict[str, Any] = {
            "job_id": str(job.id),
            "epoch": position.epoch,
            "seq": position.seq,
            "recovered": position.recovered,
            "was_recovering": place.was_given,
        }
        if not position.recovered:
            data["snapshot"] = self._history.show(job)
        # The client's new place is where replay begins, not where the log ends.
        return frame("subscribed", data, place_of(position.epoch, position.start))

    async def _page(self, job: Job, place: Place) -> HistoryPage:
        try:
            found = await self._look(job, place)
            if has_ended(job, seconds_ago=_BRIEF) and not await self._holds_end(found):
                await self._history.restore_end(job)
                found = await self._look(job, place)
        except (RedisError, OSError) as error:
            raise UnavailableError("events cannot be read now", retry_after=timedelta(seconds=1)) from error
        return found

    async def _look(self, job: Job, place: Place) -> HistoryPage:
        position = await self._history.locate(job, place.after_seq, place.epoch)
        page = await self._history.read(job.id, after_seq=position.start, epoch=position.epoch, limit=_PAGE)
        return HistoryPage(job, position, page)

    async def _holds_end(self, found: HistoryPage) -> bool:
        """Whether the newest event of the log is the job's end."""
        page = found.page
        if page.epoch is None:
            return False
        if page.events and page.events[-1].seq == page.seq:
            return is_terminal(page.events[-1].type)
        tail = await self._history.read(found.job.id, after_seq=page.seq - 1, epoch=page.epoch)
        return bool(tail.events) and is_terminal(tail.events[-1].type)
