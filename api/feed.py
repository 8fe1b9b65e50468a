"""One job's events on their way to this process's subscribers: in order, without holes, without doubles.

A room shares one place in the log. Whoever joins is first brought to that place from the log, under the same lock
that live delivery takes, so no event can fall between replay and live or come twice.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from time import monotonic
from typing import Any
from uuid import UUID

from loguru import logger
from redis import RedisError
from sqlalchemy.exc import SQLAlchemyError

from api.audience import Audience
from api.job_history import JobHistory, Position, first_kept, has_ended
from common.events import Event, EventType, is_terminal, job_room
from common.repository.job import Owner

AWAY = (RedisError, SQLAlchemyError, OSError, TimeoutError)
_PAGE = 200
_MAX_PENDING = 1000
_MERGED_CHARACTERS = 16_000
_FIRST_BACKOFF, _LAST_BACKOFF = 0.1, 2.0
_FIRST_CHECK, _LAST_CHECK = 5.0, 60.0
# Longer than a worker's own wait between attempts to write its last events.
SETTLE_SECONDS = 3.0


@dataclass(slots=True)
class Cursor:
    """The last event that was sent to one client who is not in the room yet."""

    epoch: str | None
    seq: int


class Feed:
    """Exists only while somebody here subscribes to the job.

    A member that does not keep up leaves the room and comes back through the log, at its own pace; `on_lag` gets it
    and its place. Streamed text that it has to catch up with comes in larger pieces.
    """

    def __init__(
        self,
        job_id: UUID,
        owner: Owner,
        history: JobHistory,
        clients: Audience,
        on_lag: Callable[["Feed", str, Position], None],
    ) -> None:
        self.job_id = job_id
        self.members: set[str] = set()
        self.joins: dict[str, asyncio.Task[None]] = {}
        self.check_at = monotonic() + _FIRST_CHECK
        self.has_ended = False
        self._owner = owner
        self._history = history
        self._clients = clients
        self._on_lag = on_lag
        self._room = job_room(job_id)
        self._epoch: str | None = None
        self._seq = 0
        self._pending: deque[Event] = deque()
        self._is_stale = False
        self._lock = asyncio.Lock()
        self._pump: asyncio.Task[None] | None = None
        self._check_wait = _FIRST_CHECK

    @property
    def is_empty(self) -> bool:
        return not self.members and not self.joins

    @property
    def is_over(self) -> bool:
        """Whether every member was sent the job's last event, and nothing waits that would say otherwise."""
        return self.has_ended and not self._pending and not self._is_stale and self._pump is None

    @property
    def place(self) -> Position:
        """The last event that the members were sent."""
        return Position(self._epoch, self._seq, self._seq, recovered=True)

    def offer(self, event: Event) -> None:
        """A live event. When delivery is stuck the log is read later instead of keeping everything here."""
        if len(self._pending) >= _MAX_PENDING:
            self._pending.clear()
            self._is_stale = True
        self._pending.append(event)
        self._wake()

    def refresh(self) -> None:
        """Live events may have been missed: read the log, and soon after look at the row."""
        self._is_stale = True
        self._check_wait = _FIRST_CHECK
        self.check_at = monotonic() + SETTLE_SECONDS
        self._wake()

    def close(self) -> None:
        """Stop delivering."""
        for task in (*self.joins.values(), self._pump):
            if task is not None:
                task.cancel()

    async def join(self, sid: str, position: Position, *, is_lagging: bool = False) -> None:
        """Send the client what it has not seen and let it into the room. Waits out a Redis that is away."""
        cursor, backoff = Cursor(position.epoch, position.start), _FIRST_BACKOFF
        if is_lagging:
            await self._clients.drain(sid)
        while self._clients.is_connected(sid):
            try:
                await self._replay(sid, cursor, merge=is_lagging)
                await self._enter(sid, cursor)
                return
            except AWAY as error:
                logger.warning("A subscriber waits for its events: {}", type(error).__name__)
                await asyncio.sleep(backoff)
                backoff = min(backoff * 2, _LAST_BACKOFF)

    async def settle(self, *, is_bus_settled: bool) -> None:
        """When the row says that the job ended and the log does not, put the end into the log."""
        job = await self._history.find(self.job_id, self._owner)
        if not has_ended(job):
            self.check_at = monotonic() + self._check_wait
            self._check_wait = min(self._check_wait * 2, _LAST_CHECK)
            return
        self.check_at = monotonic() + 1
        if job is None or not is_bus_settled or not has_ended(job, seconds_ago=SETTLE_SECONDS):
            return
        async with self._lock:
            await self._catch_up()
            if not self.has_ended:
                await self._history.restore_end(job)
                await self._catch_up()
            if not self.has_ended:
                self.check_at = monotonic() + _LAST_CHECK

    async def _replay(self, sid: str, cursor: Cursor, *, merge: bool) -> None:
        """History at the client's own pace, without holding up the others."""
        while True:
            page = await self._history.read(self.job_id, after_seq=cursor.seq, epoch=cursor.epoch, limit=_PAGE)
            if page.epoch is None:
                return
            if not page.recovered:
                kept = await self._history.read(self.job_id, limit=1)
                await self._reset(sid, kept.epoch, first_kept(kept))
                cursor.epoch, cursor.seq = kept.epoch, first_kept(kept)
                continue
            await self._send_all(sid, cursor, page.events, merge=merge)
            if len(page.events) < _PAGE or not await self._clients.drain(sid):
                return

    async def _enter(self, sid: str, cursor: Cursor) -> None:
        async with self._lock:
            is_first = not self.members
            if is_first:
                self._epoch, self._seq = cursor.epoch, cursor.seq
            else:
                await self._catch_up()
                await self._bridge(sid, cursor)
            if not self._clients.is_connected(sid):
                return
            self.members.add(sid)
            await self._clients.enter_room(sid, self._room)
        if is_first:
            self._is_stale = True
            self._wake()

    async def _bridge(self, sid: str, cursor: Cursor) -> None:
        """From the client's place to the room's."""
        if (cursor.epoch, cursor.seq) == (self._epoch, self._seq):
            return
        page = await self._history.read(self.job_id, after_seq=cursor.seq, epoch=cursor.epoch)
        if page.recovered and page.epoch == self._epoch:
            await self._send_all(sid, cursor, [event for event in page.events if event.seq <= self._seq])
        else:
            await self._reset(sid, self._epoch, self._seq)

    async def _send_all(self, sid: str, cursor: Cursor, events: Iterable[Event], *, merge: bool = False) -> None:
        for event in _merged(events) if merge else (event.public() for event in events):
            cursor.epoch, cursor.seq = event["epoch"], event["seq"]
            await self._clients.send(sid, "job:event", event)

    def _wake(self) -> None:
        if self._pump is None:
            self._pump = asyncio.create_task(self._run_pump(), name="feed")

    async def _run_pump(self) -> None:
        backoff = _FIRST_BACKOFF
        try:
            while self._pending or self._is_stale:
                try:
                    async with self._lock:
                        await self._deliver()
                    backoff = _FIRST_BACKOFF
                except AWAY as error:
                    logger.warning("Delivery waits: {}", type(error).__name__)
                    self._is_stale = True
                    await asyncio.sleep(backoff)
                    backoff = min(backoff * 2, _LAST_BACKOFF)
        except Exception:
            logger.exception("Delivery failed; the next event or look starts it again")
            self._is_stale = True
        finally:
            self._pump = None

    async def _deliver(self) -> None:
        """Everything that waits, in order. Without members it waits for nobody: joining reads the log."""
        if not self.members:
            self._pending.clear()
            self._is_stale = False
        if self._is_stale:
            await self._catch_up()
            self._is_stale = False
        while self._pending:
            event = self._pending.popleft()
            is_known_epoch = event.epoch == self._epoch
            if is_known_epoch and event.seq <= self._seq:
                continue
            if event.seq == self._seq + 1 and (is_known_epoch or self._epoch is None):
                await self._emit(event)
            else:
                await self._catch_up()

    async def _catch_up(self) -> None:
        """Bring the room to the end of the log."""
        page = await self._history.read(self.job_id, after_seq=self._seq, epoch=self._epoch)
        if page.epoch is None:
            return
        if not page.recovered:
            page = await self._history.read(self.job_id)
            await self._reset(self._room, page.epoch, first_kept(page))
            self._epoch, self._seq, self.has_ended = page.epoch, first_kept(page), False
        for event in page.events:
            await self._emit(event)

    async def _reset(self, to: str, epoch: str | None, seq: int) -> None:
        """Tell that earlier numbers are gone: the snapshot replaces them, and `seq + 1` comes next."""
        job = await self._history.find(self.job_id, self._owner)
        snapshot: dict[str, Any] | None = None if job is None else self._history.show(job)
        data = {"job_id": str(self.job_id), "epoch": epoch, "seq": seq, "snapshot": snapshot}
        await self._clients.send(to, "job:reset", data)

    async def _emit(self, event: Event) -> None:
        # The place moves first: a cancelled send has already reached every queue.
        self._epoch, self._seq = event.epoch, event.seq
        self.has_ended = is_terminal(event.type)
        self._check_wait = _FIRST_CHECK
        self.check_at = monotonic() + _FIRST_CHECK
        await self._clients.send(self._room, "job:event", event.public())
        for sid in self._clients.lagging(self.members):
            self.members.discard(sid)
            await self._clients.leave_room(sid, self._room)
            self._on_lag(self, sid, Position(event.epoch, event.seq, event.seq, recovered=True))


def _merged(events: Iterable[Event]) -> Iterator[dict[str, Any]]:
    """The events as clients get them, with runs of streamed text in one piece: it names its `first_seq` too."""
    held: dict[str, Any] | None = None
    for event in events:
        shown = event.public()
        if held is not None and _continues(held, shown):
            first = held.get("first_seq", held["seq"])
            held = {**shown, "first_seq": first, "data": {"text": held["data"]["text"] + shown["data"]["text"]}}
            continue
        if held is not None:
            yield held
        held = shown
    if held is not None:
        yield held


def _continues(held: dict[str, Any], event: dict[str, Any]) -> bool:
    same = held["type"] == event["type"] == EventType.LLM_DELTA and held["attempt"] == event["attempt"]
    if not same or held["data"].keys() != {"text"} or event["data"].keys() != {"text"}:
        return False
    return len(held["data"]["text"]) + len(event["data"]["text"]) <= _MERGED_CHARACTERS
