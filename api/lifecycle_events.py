"""The lifecycle of an ended job, told from its rows: what delivery falls back on when the log was lost."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from pydantic_core import to_json

from common.database.model import Attempt, Job
from common.events import EventType, NewEvent
from common.queue.status import JobStatus

_INLINE_RESULT = 32 * 1024


def lifecycle_events(job: Job, attempts: Sequence[Attempt]) -> list[NewEvent]:
    """How the job was queued, each of its `attempts` (oldest first), and its end. What was streamed is not on rows."""
    queued = NewEvent(job.id, job.owner_id, EventType.QUEUED, 0, {"kind": job.kind}, ts=job.created_at)
    return [queued, *_attempts(job, attempts), terminal_event(job)]


def terminal_event(job: Job) -> NewEvent:
    """The last event of an ended job, as its worker would have written it."""
    event_type = f"job.{job.status}"
    ended = job.finished_at or job.updated_at
    return NewEvent(job.id, job.owner_id, event_type, job.attempt, _end(job), ts=ended)


def _attempts(job: Job, attempts: Sequence[Attempt]) -> Iterator[NewEvent]:
    for this, following in pairwise([*attempts, None]):
        assert this is not None
        data: dict[str, Any] = {"kind": job.kind, "attempt": this.attempt}
        yield NewEvent(job.id, job.owner_id, EventType.STARTED, this.attempt, data, ts=this.started_at)
        if following is not None or this.attempt < job.attempt or this.outcome in ("retried", "released", "snoozed"):
            again = {"reason": this.outcome, "run_at": following.started_at if following else None, "error": this.error}
            yield NewEvent(
                job.id,
                job.owner_id,
                EventType.RETRYING,
                this.attempt,
                again,
                ends_attempt=True,
                ts=this.finished_at,
            )


def _end(job: Job) -> dict[str, Any]:
    if job.status != JobStatus.SUCCEEDED:
        return {"error": job.error}
    if job.result is None or len(to_json(job.result)) > _INLINE_RESULT:
        return {"result_url": f"/api/v1/jobs/{job.id}"}
    return {"result": job.result}
