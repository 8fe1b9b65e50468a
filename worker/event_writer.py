"""Events on their way to Redis: one ordered, bounded queue per worker, written in batches, patient with outages."""

import asyncio
from collections import deque
from time import monotonic

from loguru import logger
from redis import RedisError, ResponseError

from common.events import EventLog, NewEvent

_BATCH = 400
_MANY = 50
_GATHER = 0.002
_MAX_BACKOFF = 2.0


class EventWriter:
    """`put` never blocks and never raises; order is kept, also between jobs.

    While Redis is away events wait here; over `max_pending` the oldest are dropped and counted, because the row is
    the truth and a client that misses numbers is told so.
    """

    def __init__(self, log: EventLog, *, max_pending: int = 20_000) -> None:
        self._log = log
        self._pending: deque[NewEvent] = deque()
        self._max_pending = max_pending
        self._flusher: asyncio.Task[None] | None = None
        self.dropped = 0
        self.refused = 0

    @property
    def waiting(self) -> int:
        """Events that were not written yet."""
        return len(self._pending)

    def put(self, event: NewEvent) -> None:
        """Queue one event."""
        if len(self._pending) >= self._max_pending:
            self._pending.popleft()
            self.dropped += 1
        self._pending.append(event)
        if self._flusher is None:
            self._flusher = asyncio.create_task(self._flush(), name="event-writer")

    async def drain(self, limit: float) -> None:
        """Wait until the queue is empty, at most `limit` seconds."""
        if self._flusher is not None:
            await asyncio.wait([self._flusher], timeout=limit)

    async def close(self) -> None:
        """Give up on what is left."""
        if self._flusher is not None:
            self._flusher.cancel()
            await asyncio.wait([self._flusher])

    async def _flush(self) -> None:
        backoff, silent_until, apart, is_retry = 0.05, 0.0, 0, False
        try:
            while self._pending:
                if _MANY < len(self._pending) < _BATCH:
                    await asyncio.sleep(_GATHER)  # so that the start and the end of short jobs travel together
                size = 1 if apart > 0 else _BATCH
                apart -= 1
                batch = [self._pending.popleft() for _ in range(min(size, len(self._pending)))]
                try:
                    self.refused += (await self._log.append(batch, is_retry=is_retry)).count(0)
                    backoff, is_retry = 0.05, apart > 0
                except ResponseError as error:
                    # Redis works and refuses something in the batch: the others must not wait for it.
                    if len(batch) == 1:
                        self.dropped += 1
                        logger.warning("Redis refused an event: job_id={} error={}", batch[0].job_id, error)
                    else:
                        self._pending.extendleft(reversed(batch))
                        is_retry = True
                        apart = len(batch)
                except (RedisError, OSError, TimeoutError) as error:
                    self._pending.extendleft(reversed(batch))
                    is_retry = True  # it may have been written all the same
                    if monotonic() > silent_until:
                        logger.warning("Events wait, Redis is away: {}", type(error).__name__)
                        silent_until = monotonic() + 10
                    await asyncio.sleep(backoff)
                    backoff = min(backoff * 2, _MAX_BACKOFF)
        finally:
            self._flusher = None
