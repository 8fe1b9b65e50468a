"""Which jobs are meant: the filter of lists, and of cancel and retry by filter."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement

from common.database.model import Job
from common.queue.status import JobStatus


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs to list; everything given must match. Newest first, `before_id` excluded."""

    status: Sequence[JobStatus] = ()
    kind: str | None = None
    queue: str | None = None
    tag: str | None = None
    batch_id: UUID | None = None
    before_id: UUID | None = None
    limit: int = 50


def conditions(wanted: JobFilter) -> list[ColumnElement[bool]]:
    """What the filter asks of a row, beside whose it is."""
    asked: list[ColumnElement[bool]] = []
    if wanted.status:
        asked.append(Job.status.in_([str(status) for status in wanted.status]))
    if wanted.kind is not None:
        asked.append(Job.kind == wanted.kind)
    if wanted.queue is not None:
        asked.append(Job.queue == wanted.queue)
    if wanted.tag is not None:
        asked.append(Job.tags.contains([wanted.tag]))
    if wanted.batch_id is not None:
        asked.append(Job.batch_id == wanted.batch_id)
    if wanted.before_id is not None:
        asked.append(Job.id < wanted.before_id)
    return asked
