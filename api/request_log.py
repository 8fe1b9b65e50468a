"""Writes answered requests to MongoDB in batches, beside the requests: they never wait for it and never fail by it."""

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from types import TracebackType
from typing import TYPE_CHECKING, Self

from loguru import logger

from api.config import ApiSettings
from common.errors import UnavailableError
from common.request_log import RequestEntry

if TYPE_CHECKING:
    from common.repository.log import RequestLogRepository

_FIRST_BACKOFF = 0.2
_LAST_BACKOFF = 5.0


@dataclass(frozen=True, slots=True)
class RequestLogCounts:
    """Entries since the start: written, lost (no room, refused, or still waiting at the end), and waiting now."""

    written: int
    dropped: int
    queued: int


def create_writer(settings: ApiSettings, logs: "RequestLogRepository | None") -> "RequestLogWriter | None":
    """The writer of a log; None when there is no log."""
    return None if logs is None else RequestLogWriter(settings, logs)


class RequestLogWriter:
    """`async with writer:` writes until the block ends, then what is left, for REQUEST_LOG_STOP_TIMEOUT at most.

    While MongoDB is away the oldest REQUEST_LOG_MAX_QUEUED entries wait for it; what comes after them is counted and
    dropped. Each entry is written once, also when an answer of MongoDB was lost.
    """

    def __init__(self, settings: ApiSettings, logs: "RequestLogRepository") -> None:
        self._logs = logs
        self._max_queued = settings.request_log_max_queued
        self._batch_size = settings.request_log_batch_size
        self._interval = settings.request_log_flush_interval.total_seconds()
        self._stop_timeout = settings.request_log_stop_timeout.total_seconds()
        self._queue: deque[RequestEntry] = deque()
        self._has_some, self._has_batch = asyncio.Event(), asyncio.Event()
        self._is_prepared, self._is_away, self._is_full = False, False, False
        self._written, self._dropped = 0, 0
        self._task: asyncio.Task[None] | None = None

    @property
    def counts(self) -> RequestLogCounts:
        """What became of the entries of this process."""
        return RequestLogCounts(self._written, self._dropped, len(self._queue))

    def record(self, entry: RequestEntry) -> None:
        """Take an entry, or drop it when there is no room. Returns at once."""
        if len(self._queue) >= self._max_queued:
            self._dropped += 1
            if not self._is_full:
                self._is_full = True
                logger.warning("The request log is full; requests go unrecorded", queued=len(self._queue))
            return
        self._queue.append(entry)
        self._has_some.set()
        if len(self._queue) >= self._batch_size:
            self._has_batch.set()

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="request log")
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
            logger.warning("The api stops with requests unrecorded", dropped=len(self._queue))
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
            # Unforeseen, but no reason to stop trying: requests are kept meanwhile.
            raise UnavailableError("The request log cannot be prepared.") from error
        self._is_prepared = True

    async def _insert(self, batch: tuple[RequestEntry, ...]) -> int:
        try:
            refused = await self._logs.insert_many(batch)
        except UnavailableError:
            self._is_prepared = False  # the server may come back empty
            raise
        except Exception as error:
            # What cannot be encoded will not be next time either, and must not hold up the rest.
            logger.error("A batch of requests cannot be recorded", error=type(error).__name__, dropped=len(batch))
            return len(batch)
        if refused:
            logger.error("MongoDB refused requests of the log", dropped=refused)
        return refused

    def _note_away(self, error: UnavailableError) -> None:
        if not self._is_away:
            self._is_away = True
            logger.warning("The request log is away; requests wait for it", error=type(error.__cause__).__name__)

    def _note_back(self) -> None:
        if self._is_away:
            self._is_away = False
            logger.info("The request log answers", queued=len(self._queue))
        if self._is_full and len(self._queue) <= self._max_queued // 2:
            self._is_full = False
            logger.warning("The request log has room again", dropped=self._dropped)
