"""Subscriptions: which clients of this process follow which jobs. Jobs that nobody follows cost nothing."""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Sequence
from time import monotonic
from typing import Self
from uuid import UUID

from loguru import logger

from api.audience import Audience
from api.event_bus import EventBus
from api.feed import AWAY, SETTLE_SECONDS, Feed
from api.job_history import JobHistory, Position
from common.database.model import Job
from common.events import Event, job_room
from common.repository.job import Owner

_LOOK_EVERY = 1.0


class Relay:
    """Feeds of the jobs that somebody here follows. `async with relay:` starts it."""

    def __init__(self, bus: EventBus, history: JobHistory, clients: Audience) -> None:
        self._bus = bus
        self._history = history
        self._clients = clients
        self._feeds: dict[UUID, Feed] = {}
        self._subscriptions: dict[str, set[UUID]] = defaultdict(set)
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._bus.add_listener(self)
        self._task = asyncio.create_task(self._look_after(), name="relay")
        return self

    async def __aexit__(self, *_: object) -> None:
        for feed in self._feeds.values():
            feed.close()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    @property
    def feed_count(self) -> int:
        """How many jobs are followed."""
        return len(self._feeds)

    def count_subscriptions(self, sid: str) -> int:
        """How many jobs the client follows."""
        return len(self._subscriptions.get(sid, ()))

    @property
    def job_ids(self) -> Collection[UUID]:
        """The jobs that are followed."""
        return self._feeds.keys()

    def follows(self, sid: str, job_id: UUID) -> bool:
        """Whether the client follows the job."""
        return job_id in self._subscriptions.get(sid, ())

    async def retire(self, sid: str) -> list[tuple[UUID, Position]]:
        """Unsubscribe the client from jobs whose end it was sent; where their logs were left."""
        ended = [self._feeds[job_id] for job_id in self._subscriptions.get(sid, ()) if job_id in self._feeds]
        done = [(feed.job_id, feed.place) for feed in ended if feed.is_over and sid in feed.members]
        for job_id, _ in done:
            await self.unsubscribe(sid, job_id)
        return done

    async def subscribe(self, sid: str, job: Job, position: Position) -> None:
        """Deliver the job's events after `position`, then live. Replaces an earlier subscription to the job.

        Delivery begins with the next turn of the loop, after the caller's acknowledgement.
        """
        await self.unsubscribe(sid, job.id)
        feed = self._feeds.get(job.id)
        if feed is None:
            owner = Owner(job.tenant_id, job.owner_id)
            feed = self._feeds[job.id] = Feed(job.id, owner, self._history, self._clients, self._rejoin)
        self._subscriptions[sid].add(job.id)
        feed.joins[sid] = asyncio.create_task(self._join(feed, sid, position), name="subscribe")

    async def unsubscribe(self, sid: str, job_id: UUID) -> bool:
        """Stop delivering; False when the client did not follow the job."""
        if job_id not in self._subscriptions.get(sid, ()):
            return False
        self._leave(sid, job_id)
        await self._clients.leave_room(sid, job_room(job_id))
        return True

    def forget(self, sid: str) -> None:
        """Drop everything of a client that is gone."""
        for job_id in list(self._subscriptions.get(sid, ())):
            self._leave(sid, job_id)

    def on_events(self, events: Sequence[Event]) -> None:
        """Part of `BusListener`."""
        for event in events:
            if (feed := self._feeds.get(event.job_id)) is not None:
                feed.offer(event)

    def on_gap(self) -> None:
        """Part of `BusListener`."""
        for feed in self._feeds.values():
            feed.refresh()

    def _leave(self, sid: str, job_id: UUID) -> None:
        self._subscriptions[sid].discard(job_id)
        if not self._subscriptions[sid]:
            del self._subscriptions[sid]
        feed = self._feeds.get(job_id)
        if feed is None:
            return  # it ended while this client was still joining
        feed.members.discard(sid)
        if (task := feed.joins.pop(sid, None)) is not None:
            task.cancel()
        self._discard_if_empty(feed)

    def _discard_if_empty(self, feed: Feed) -> None:
        if feed.is_empty and self._feeds.get(feed.job_id) is feed:
            feed.close()
            del self._feeds[feed.job_id]

    def _rejoin(self, feed: Feed, sid: str, position: Position) -> None:
        feed.joins[sid] = asyncio.create_task(self._join(feed, sid, position, is_lagging=True), name="catch-up")

    async def _join(self, feed: Feed, sid: str, position: Position, *, is_lagging: bool = False) -> None:
        try:
            await feed.join(sid, position, is_lagging=is_lagging)
        except Exception:
            logger.exception("A subscription failed")
            await self._clients.disconnect(sid, "internal_error", "connect again and continue after_seq")
        finally:
            if feed.joins.get(sid) is asyncio.current_task():
                del feed.joins[sid]
                self._discard_if_empty(feed)
        if feed.members:
            await self._settle(feed)

    async def _look_after(self) -> None:
        """Find jobs that ended without anybody hearing of it."""
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            now = monotonic()
            due = [
                feed for feed in self._feeds.values() if feed.members and not feed.has_ended and feed.check_at <= now
            ]
            for feed in due:
                await self._settle(feed)

    async def _settle(self, feed: Feed) -> None:
        try:
            await feed.settle(is_bus_settled=self._bus.connected_for >= SETTLE_SECONDS)
        except AWAY:
            feed.check_at = monotonic() + 1
        except Exception:
            logger.exception("Looking after a feed failed")
