"""The insert of jobs: the one statement of every submit, for one row or for many."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from pydantic_core import from_json, to_json
from sqlalchemy import Integer, Text, TextClause, Uuid
from sqlalchemy.dialects.postgresql import ARRAY, INTERVAL, TIMESTAMP
from sqlalchemy.orm import class_mapper
from sqlalchemy.types import TypeEngine

from common.database.model import Job
from common.queue.status import JobStatus
from common.repository.sql import AnyExecutor, fetch, statement


@dataclass(frozen=True, slots=True)
class Owner:
    """Who a job belongs to."""

    tenant_id: UUID
    user_id: UUID


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job that is about to be inserted. `payload_json` is the validated payload."""

    id: UUID
    owner: Owner
    kind: str
    queue: str
    payload_json: str
    max_attempts: int
    timeout: timedelta
    priority: int = 0
    run_at: datetime | None = None
    delay: timedelta = timedelta(0)
    expires_in: timedelta | None = None
    request_id: str | None = None
    traceparent: str | None = None
    tags: tuple[str, ...] = ()
    metadata: dict[str, Any] | None = None
    limits: Mapping[str, int] = field(default_factory=dict)
    batch_id: UUID | None = None
    custom_id: str | None = None
    pending_after: int = 0


_TYPES: Mapping[str, TypeEngine[Any]] = {
    "id": Uuid(),
    "tenant_id": Uuid(),
    "owner_id": Uuid(),
    "kind": Text(),
    "queue": Text(),
    "payload": Text(),
    "max_attempts": Integer(),
    "timeout": INTERVAL(),
    "priority": Integer(),
    "run_at": TIMESTAMP(timezone=True),
    "delay": INTERVAL(),
    "expires_in": INTERVAL(),
    "request_id": Text(),
    "traceparent": Text(),
    "tags": Text(),
    "metadata": Text(),
    "limits": Text(),
    "batch_id": Uuid(),
    "custom_id": Text(),
    "pending_after": Integer(),
}
_STAMPS = ("id", "run_at", "rank_at", "expires_at", "next_dispatch_at", "created_at", "updated_at")
_NOT_YET = dict.fromkeys(
    ("result", "error", "progress", "waiting", "lease_owner", "cancel_requested_at", "started_at", "finished_at")
)


def _insert(source: str, types: Mapping[str, TypeEngine[Any]]) -> TextClause:
    """The insert of the rows that `source` gives; it returns `_STAMPS`."""
    # The submitter publishes a hint itself, so the dispatcher's first look comes later.
    sql = f"""
    INSERT INTO jobs (id, tenant_id, owner_id, kind, queue, payload, max_attempts, timeout, priority,
                      run_at, rank_at, expires_at, dispatch_no, next_dispatch_at, request_id, traceparent, tags,
                      metadata, limit_keys, limit_values, batch_id, custom_id, pending_after)
    SELECT v.id, v.tenant_id, v.owner_id, v.kind, v.queue, v.payload::jsonb, v.max_attempts, v.timeout, v.priority,
           due.run_at, due.run_at - v.priority * interval '1 minute', now() + v.expires_in, 1,
           due.run_at + interval '10 seconds', v.request_id, v.traceparent,
           ARRAY(SELECT jsonb_array_elements_text(v.tags::jsonb)), v.metadata::jsonb,
           CASE WHEN v.limits IS NOT NULL THEN ARRAY(SELECT key FROM jsonb_each_text(v.limits::jsonb)) END,
           CASE WHEN v.limits IS NOT NULL THEN ARRAY(SELECT value::int FROM jsonb_each_text(v.limits::jsonb)) END,
           v.batch_id, v.custom_id, v.pending_after
    FROM {source} AS v({", ".join(types)})
    CROSS JOIN LATERAL (SELECT greatest(coalesce(v.run_at, now() + v.delay), now()) AS run_at) AS due
    RETURNING {", ".join(_STAMPS)}
    """
    return statement(sql, **types)


_PARAMETERS = ", ".join(f":{name}" for name in _TYPES)
_INSERT_ONE = _insert(f"(VALUES ({_PARAMETERS}))", _TYPES)
# Many rows are one parameter a column, whatever their number, so that it stays one statement to plan.
_INSERT_MANY = _insert(f"unnest({_PARAMETERS})", {name: ARRAY(type_) for name, type_ in _TYPES.items()})


async def insert_jobs(db: AnyExecutor, jobs: Sequence[NewJob]) -> list[Job]:
    """Insert `jobs` in one statement and return their rows, in order."""
    if len(jobs) == 1:
        [stamps] = await fetch(db, _INSERT_ONE, dict(zip(_TYPES, _values(jobs[0]), strict=True)))
        return [_row(jobs[0], stamps)]
    columns = zip(*map(_values, jobs), strict=True)
    rows = await fetch(db, _INSERT_MANY, {name: list(column) for name, column in zip(_TYPES, columns, strict=True)})
    stamps_by_id = {stamps[0]: stamps for stamps in rows}
    return [_row(job, stamps_by_id[job.id]) for job in jobs]


def _values(job: NewJob) -> tuple[Any, ...]:
    return (
        job.id,
        job.owner.tenant_id,
        job.owner.user_id,
        job.kind,
        job.queue,
        job.payload_json,
        job.max_attempts,
        job.timeout,
        job.priority,
        job.run_at,
        job.delay,
        job.expires_in,
        job.request_id,
        job.traceparent,
        to_json(job.tags).decode() if job.tags else "[]",
        None if job.metadata is None else to_json(job.metadata).decode(),
        to_json(job.limits).decode() if job.limits else None,
        job.batch_id,
        job.custom_id,
        job.pending_after,
    )


def _row(job: NewJob, stamps: Sequence[Any]) -> Job:
    """The row as it was inserted. Filled like a loaded one: the constructor would record thirty changes a job."""
    row = class_mapper(Job).class_manager.new_instance()
    row.__dict__.update(
        tenant_id=job.owner.tenant_id,
        owner_id=job.owner.user_id,
        kind=job.kind,
        queue=job.queue,
        status=JobStatus.QUEUED,
        payload=from_json(job.payload_json),
        priority=job.priority,
        attempt=0,
        failures=0,
        crashes=0,
        max_attempts=job.max_attempts,
        timeout=job.timeout,
        dispatch_no=1,
        request_id=job.request_id,
        traceparent=job.traceparent,
        tags=list(job.tags),
        annotations=job.metadata,
        batch_id=job.batch_id,
        custom_id=job.custom_id,
        pending_after=job.pending_after,
        has_dependants=False,
        is_result_apart=False,
        **_NOT_YET,
        **dict(zip(_STAMPS, stamps, strict=True)),
    )
    return row
