"""Bounds on a stream: how long it may keep silent and how much it may say."""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from math import inf

from common.errors import PermanentError
from worker.llm.alarm import Alarm

_USAGE_GRACE = timedelta(seconds=5)
_DRAIN_GRACE = 0.1


class StreamWatch:
    """Keeps the limits of one answer. Close it at the end."""

    def __init__(self, *, first_piece: timedelta, idle: timedelta, max_bytes: int) -> None:
        self._idle, self._max_bytes = idle, max_bytes
        self._loop = asyncio.get_running_loop()
        self._first = self._loop.time() + first_piece.total_seconds()
        self._alarm = Alarm()
        self._has_begun = False
        self._bytes = 0
        self._ends = inf
        self.finished = False

    async def wait[T](self, step: Awaitable[T]) -> T:
        """What `step` gives. Raises `TimeoutError` when the model stays silent for too long."""
        return await self._alarm.within(self._deadline(), step)

    async def drain[T](self, step: Awaitable[T]) -> T:
        """What `step` gives, once nothing more is to be heard. Raises `TimeoutError` very soon."""
        return await self._alarm.within(self._loop.time() + _DRAIN_GRACE, step)

    def heard(self, size: int, *, finished: bool) -> None:
        """Something came: so many bytes of the answer, and with `finished` its end.

        Raises `PermanentError` when the answer grows too large.
        """
        self._has_begun = True
        self._bytes += size
        if finished and not self.finished:
            # Counted once: what still comes may be anything but the end.
            self.finished, self._ends = True, self._loop.time() + _USAGE_GRACE.total_seconds()
        if self._bytes > self._max_bytes:
            raise PermanentError(f"the answer is longer than LLM_MAX_ANSWER_BYTES ({self._max_bytes}) allows")

    def close(self) -> None:
        """Watch no more."""
        self._alarm.close()

    def _deadline(self) -> float:
        """Counted from now: a slow reader is not a slow model."""
        if not self._has_begun:
            return self._first
        if self.finished:
            # Only a grace, to tell the usage.
            return self._ends
        deadline = self._loop.time() + self._idle.total_seconds()
        # Empty pieces come before the text; they must not shorten the time for its first piece.
        return deadline if self._bytes else max(self._first, deadline)
