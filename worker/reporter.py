"""What a running attempt reports: text as it streams, progress, events of its own. Bursts are thinned out here."""

import asyncio
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any
from uuid import UUID

from common.events import EventType, NewEvent
from common.repository.attempt import ClaimedJob

_DELTA_WINDOW = 0.05
_DELTA_CHARACTERS = 16_000
_PROGRESS_WINDOW = 0.1


class ProgressBook:
    """The newest progress of each running attempt, until somebody writes it to the rows."""

    def __init__(self) -> None:
        self._latest: dict[UUID, tuple[int, dict[str, Any]]] = {}

    def note(self, job_id: UUID, attempt: int, progress: dict[str, Any]) -> None:
        self._latest[job_id] = (attempt, progress)

    def take(self) -> list[tuple[UUID, int, dict[str, Any]]]:
        """Everything noted since the last call."""
        latest, self._latest = self._latest, {}
        return [(job_id, attempt, progress) for job_id, (attempt, progress) in latest.items()]

    def take_one(self, job_id: UUID) -> list[tuple[UUID, int, dict[str, Any]]]:
        """What was noted for one job, to be written before it ends."""
        if (entry := self._latest.pop(job_id, None)) is None:
            return []
        return [(job_id, *entry)]


class AttemptReporter:
    """The `EventSink` of one attempt."""

    def __init__(self, job: ClaimedJob, put: Callable[[NewEvent], None], progress: ProgressBook) -> None:
        self._job = job
        self._put = put
        self._progress = progress
        self._text: list[str] = []
        self._size = 0
        self._timer: asyncio.TimerHandle | None = None
        self._sent_at = 0.0
        self._progress_at = 0.0
        self._is_closed = False

    async def emit(self, event_type: str, data: Mapping[str, Any]) -> None:
        self._flush()
        self._event(event_type, data)

    async def delta(self, text: str) -> None:
        if not text:
            return
        self._text.append(text)
        self._size += len(text)
        if self._size >= _DELTA_CHARACTERS or monotonic() - self._sent_at >= _DELTA_WINDOW:
            self._flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_DELTA_WINDOW, self._flush)

    async def progress(self, fraction: float, message: str | None) -> None:
        data = {"fraction": round(fraction, 4), "message": message}
        self._progress.note(self._job.id, self._job.attempt, data)
        if fraction >= 1 or monotonic() - self._progress_at >= _PROGRESS_WINDOW:
            self._progress_at = monotonic()
            self._event(EventType.PROGRESS, data)

    def close(self) -> None:
        """Send what is still held back; nothing is accepted afterwards."""
        self._flush()
        self._is_closed = True

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        text = "".join(self._text)
        self._text.clear()
        self._size = 0
        self._sent_at = monotonic()
        for start in range(0, len(text), _DELTA_CHARACTERS):
            self._event(EventType.LLM_DELTA, {"text": text[start : start + _DELTA_CHARACTERS]})

    def _event(self, event_type: str, data: Mapping[str, Any]) -> None:
        if not self._is_closed:
            self._put(NewEvent(self._job.id, self._job.owner_id, event_type, self._job.attempt, data))
