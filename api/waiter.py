"""Waiting for a job to change: woken by its events, and by looking now and then when Redis is away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from uuid import UUID

from api.event_bus import EventBus
from api.job_watch import JobWatch

_POLL_CONNECTED = 5.0  # covers an event that was published before its row was committed
_POLL_BLIND = 1.0


class JobWaiter:
    """Lets requests wait for jobs, however many at once, and lets all of them go when the process ends."""

    def __init__(self, bus: EventBus) -> None:
        self._bus = bus
        self._watches: set[JobWatch] = set()
        self._is_stopping = False

    @asynccontextmanager
    async def watch(self, job_id: UUID) -> AsyncIterator["Watch"]:
        """Collect what happens to a job from now on. Begin before reading the row, so that nothing falls between."""
        async with self._bus.watch(job_id) as watch:
            self._watches.add(watch)
            try:
                yield Watch(self, watch)
            finally:
                self._watches.discard(watch)

    def stop(self) -> None:
        """Let everybody who waits go now, and nobody wait again."""
        self._is_stopping = True
        for watch in self._watches:
            watch.put(None)

    @property
    def is_stopping(self) -> bool:
        """Whether waiting has become pointless."""
        return self._is_stopping

    @property
    def poll_interval(self) -> float:
        """Seconds after which a row is looked at even when nothing was heard of it."""
        return _POLL_CONNECTED if self._bus.is_connected else _POLL_BLIND


class Watch:
    """One caller's interest in one job, with a time limit in `wait_change`."""

    def __init__(self, waiter: JobWaiter, events: JobWatch) -> None:
        self._waiter = waiter
        self._events = events

    async def wait_change(self, seconds: float, *, any_event: bool = False) -> bool:
        """Return True when it is time to look again; False, at once, when the wait is over.

        What is looked at is the row, which streamed text does not change; with `any_event` it is the log.
        """
        if seconds <= 0 or self._waiter.is_stopping:
            return False
        with suppress(TimeoutError):
            async with asyncio.timeout(min(seconds, self._waiter.poll_interval)):
                # Deltas come by the hundred and are not on the row.
                while (event := await self._events.next()) is not None and not (
                    any_event or event.type.startswith("job.")
                ):
                    pass
        return True
