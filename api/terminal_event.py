"""The last event of a job, told from its row: what delivery falls back on when the log lost it."""

from typing import Any

from pydantic_core import to_json

from common.database.model import Job
from common.events import NewEvent
from common.queue.status import JobStatus

_INLINE_RESULT = 32 * 1024


def terminal_event(job: Job) -> NewEvent:
    """The terminal event of an ended job, as its worker would have written it."""
    return NewEvent(job.id, job.owner_id, f"job.{job.status}", job.attempt, _data(job))


def _data(job: Job) -> dict[str, Any]:
    if job.status != JobStatus.SUCCEEDED:
        return {"error": job.error}
    if job.result is None or len(to_json(job.result)) > _INLINE_RESULT:
        return {"result_url": f"/api/v1/jobs/{job.id}"}
    return {"result": job.result}
