"""Following one job inside the process: what an HTTP request waits on."""

import asyncio
from collections import deque

from common.events import Event

_MAX_PENDING = 1000


class JobWatch:
    """The events of one job from the moment the watch was opened."""

    def __init__(self) -> None:
        self._pending: deque[Event | None] = deque()
        self._arrived = asyncio.Event()

    async def next(self) -> Event | None:
        """Wait for the next event. None means that events may have been missed: read the row or the log.

        Without a connection to Redis this waits on; callers bring their own timeout.
        """
        while not self._pending:
            self._arrived.clear()
            await self._arrived.wait()
        return self._pending.popleft()

    def put(self, event: Event | None) -> None:
        """Hand over an event, or None for a possible gap. A reader too slow for 1000 events gets a gap instead."""
        if len(self._pending) >= _MAX_PENDING:
            self._pending.clear()
            event = None
        self._pending.append(event)
        self._arrived.set()
