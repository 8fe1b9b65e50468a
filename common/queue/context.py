"""What a handler gets: who the job belongs to, its fence, its deadline, its events and its ports."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from common.ports import Ports


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
    """One attempt, seen from inside its handler."""

    job_id: UUID
    kind: str
    attempt: int
    tenant_id: UUID
    owner_id: UUID
    deadline: datetime
    ports: Ports
    events: EventSink
    request_id: str | None = None

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
