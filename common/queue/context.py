"""What a handler gets: who the job belongs to, its fence, its deadline, its events and its ports."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import inf
from time import monotonic
from typing import Any, Protocol
from uuid import UUID

from common.ports import Ports

_CLOCK_STEP = 0.001
_YEAR = 365 * 86400.0


class EventSink(Protocol):
    """Where a running attempt reports to. Never raises: the row, not the event, decides."""

    async def emit(self, event_type: str, data: Mapping[str, Any]) -> None:
        """Append one event to the job's log."""
        ...

    async def delta(self, text: str) -> None:
        """Append streamed text; pieces that come close together travel as one event."""
        ...

    async def progress(self, fraction: float, message: str | None) -> None:
        """Keep the newest progress on the row and append an event; bursts are thinned out."""
        ...


@dataclass(frozen=True, slots=True)
class JobContext:
    """One attempt, seen from inside its handler.

    `deadline` is the hard one, by the database's clock. `ends_at` is the same moment on this process's monotonic clock;
    the soft deadline comes `wrap_up` before it. `is_last`: the job fails if this attempt does.
    """

    job_id: UUID
    kind: str
    attempt: int
    tenant_id: UUID
    owner_id: UUID
    deadline: datetime
    ports: Ports
    events: EventSink
    request_id: str | None = None
    ends_at: float = inf
    wrap_up: timedelta = timedelta(0)
    is_last: bool = False

    @property
    def time_left(self) -> timedelta:
        """Until the timeout ends this attempt; no clock that is set changes it. `timedelta.max` without a timeout."""
        left = self.ends_at - monotonic()
        return timedelta.max if left == inf else timedelta(seconds=max(left, 0.0))

    @property
    def is_late(self) -> bool:
        """Whether the soft deadline has passed: time to come to an end, or to keep what there is."""
        return self.time_left <= self.wrap_up

    async def until_late(self) -> None:
        """Wait for the soft deadline, beside the work."""
        left = (self.time_left - self.wrap_up).total_seconds()
        await asyncio.sleep(min(max(left, 0.0) + _CLOCK_STEP, _YEAR))

    @property
    def fence(self) -> str:
        """A key for effects in other stores: the job's id and this attempt's number."""
        return f"{self.job_id}:{self.attempt}"

    async def progress(self, done: float, total: float = 1.0, message: str | None = None) -> None:
        """Report that `done` of `total` is done; shown as a bar and as `job.progress` events."""
        fraction = min(max(done / total, 0.0), 1.0) if total > 0 else 1.0
        await self.events.progress(fraction, message)

    async def delta(self, text: str) -> None:
        """Stream a piece of the answer to whoever listens."""
        await self.events.delta(text)

    async def emit(self, event_type: str, data: Mapping[str, Any]) -> None:
        """Append an event of a type of your own, named `noun.verb`."""
        await self.events.emit(event_type, data)
