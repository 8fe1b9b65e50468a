"""Writes entries to MongoDB in batches, beside the work that they are about: it never waits nor fails by that."""

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from types import TracebackType
from typing import Protocol, Self

from loguru import logger

from common.errors import UnavailableError

_FIRST_BACKOFF = 0.2
_LAST_BACKOFF = 5.0


@dataclass(frozen=True, slots=True)
class LogLimits:
    """How much waits, how much is written at a time and how long an entry waits for that, and for the end."""

    max_queued: int = 10_000
    batch_size: int = 200
    interval: timedelta = timedelta(seconds=1)
    stop_timeout: timedelta = timedelta(seconds=3)


class LogStore[E](Protocol):
    """Where entries are kept. Raises `UnavailableError` while it is away."""

    async def prepare(self) -> None:
        """Make it ready; harmless to repeat."""
        ...

    async def insert_many(self, entries: Sequence[E]) -> int:
        """Write entries, those that are there already excepted, and return how many were refused."""
        ...


@dataclass(frozen=True, slots=True)
class LogCounts:
    """Entries since the start: written, lost (no room, refused, or still waiting at the end), and waiting now."""

    written: int
    dropped: int
    queued: int


class LogWriter[E]:
    """`async with writer:` writes until the block ends, then what is left, for the stop timeout at most.

    While MongoDB is away the oldest `max_queued` entries wait for it; what comes after them is counted and dropped.
    Each entry is written once, also when an answer of MongoDB was lost. `name` is the log's in messages.
    """

    def __init__(self, name: str, logs: LogStore[E], limits: LogLimits) -> None:
        self._log = logger.bind(log=name)
        self._name = name
        self._logs = logs
        self._max_queued = limits.max_queued
        self._batch_size = limits.batch_size
        self._interval = limits.interval.total_seconds()
        self._stop_timeout = limits.stop_timeout.total_seconds()
        self._queue: deque[E] = deque()
        self._has_some, self._has_batch = asyncio.Event(), asyncio.Event()
        self._is_prepared, self._is_away, self._is_full = False, False, False
        self._written, self._dropped = 0, 0
        self._task: asyncio.Task[None] | None = None

    @property
    def counts(self) -> LogCounts:
        """What became of the entries of this process."""
        return LogCounts(self._written, self._dropped, len(self._queue))

    def record(self, entry: E) -> None:
        """Take an entry, or drop it when there is no room. Returns at once."""
        if len(self._queue) >= self._max_queued:
            self._dropped += 1
            if not self._is_full:
                self._is_full = True
                self._log.warning("A log is full; entries go unrecorded", queued=len(self._queue))
            return
        self._queue.append(entry)
        self._has_some.set()
        if len(self._queue) >= self._batch_size:
            self._has_batch.set()

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name=self._name)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.wait([self._task])
        with suppress(UnavailableError, TimeoutError):
            async with asyncio.timeout(self._stop_timeout):
                while self._queue:
                    await self._write_batch()
        if self._queue:
            self._dropped += len(self._queue)
            self._log.warning("The process stops with entries unrecorded", dropped=len(self._queue))
            self._queue.clear()

    async def _run(self) -> None:
        backoff = _FIRST_BACKOFF
        while True:
            try:
                await self._write_batch()
            except UnavailableError as error:
                self._note_away(error)
                await asyncio.sleep(backoff)
                backoff = min(backoff * 2, _LAST_BACKOFF)
                continue
            backoff = _FIRST_BACKOFF
            self._note_back()
            await self._gather()

    async def _gather(self) -> None:
        """Returns when a batch is full, or when its first entry has waited for the flush interval."""
        if not self._queue:
            self._has_some.clear()
            await self._has_some.wait()
        if len(self._queue) < self._batch_size:
            self._has_batch.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._interval):
                    await self._has_batch.wait()

    async def _write_batch(self) -> None:
        """Write the oldest entries. They leave the queue when MongoDB has answered. Raises `UnavailableError`."""
        if not self._is_prepared:
            await self._prepare()
        batch = tuple(islice(self._queue, self._batch_size))
        if not batch:
            return
        refused = await self._insert(batch)
        for _ in batch:
            self._queue.popleft()
        self._written += len(batch) - refused
        self._dropped += refused

    async def _prepare(self) -> None:
        try:
            await self._logs.prepare()
        except UnavailableError:
            raise
        except Exception as error:
            # Unforeseen, but no reason to stop trying: entries are kept meanwhile.
            raise UnavailableError("The log cannot be prepared.") from error
        self._is_prepared = True

    async def _insert(self, batch: tuple[E, ...]) -> int:
        try:
            refused = await self._logs.insert_many(batch)
        except UnavailableError:
            self._is_prepared = False  # the server may come back empty
            raise
        except Exception as error:
            # What cannot be encoded will not be next time either, and must not hold up the rest.
            self._log.error("A batch of entries cannot be recorded", error=type(error).__name__, dropped=len(batch))
            return len(batch)
        if refused:
            self._log.error("MongoDB refused entries of a log", dropped=refused)
        return refused

    def _note_away(self, error: UnavailableError) -> None:
        if not self._is_away:
            self._is_away = True
            self._log.warning("A log is away; entries wait for it", error=type(error.__cause__).__name__)

    def _note_back(self) -> None:
        if self._is_away:
            self._is_away = False
            self._log.info("A log answers", queued=len(self._queue))
        if self._is_full and len(self._queue) <= self._max_queued // 2:
            self._is_full = False
            self._log.warning("A log has room again", dropped=self._dropped)
