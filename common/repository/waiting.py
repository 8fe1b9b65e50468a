"""Queries about why one job waits: what it waits for, who is before it, and how quickly its queue moves."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Integer, Text, Uuid
from sqlalchemy.dialects.postgresql import INTERVAL, TIMESTAMP

from common.queue.status import JobStatus
from common.repository.job import Reach
from common.repository.sql import TEXTS, Executor, execute, statement


@dataclass(frozen=True, slots=True)
class AwaitedJob:
    """A job whose end another one waits for; `on_failure` is what happens when it does not succeed."""

    id: UUID
    kind: str
    status: JobStatus
    on_failure: str


@dataclass(frozen=True, slots=True)
class LimitUse:
    """One limit that a job falls under: at most `value` at a time, of which `running` are taken now.

    `holders` are some of the jobs that take them, as far as they are within reach.
    """

    key: str
    value: int
    running: int
    holders: Sequence[UUID]


@dataclass(frozen=True, slots=True)
class Throughput:
    """How quickly a queue has moved lately: ended jobs, and those of them that failed, in a second."""

    queue: str
    ended: float
    failed: float


_AWAITED = statement(
    """
    SELECT awaited.id, awaited.kind, awaited.status, dependency.on_failure
    FROM job_dependencies AS dependency JOIN jobs AS awaited ON awaited.id = dependency.depends_on_id
    WHERE dependency.job_id = :id AND awaited.tenant_id = :tenant ORDER BY awaited.id LIMIT :limit
    """,
    id=Uuid(),
    tenant=Uuid(),
    limit=Integer(),
)
_LIMITS = statement(
    """
    SELECT cap.key, cap.value, held.running, coalesce(held.holders[1:10], '{}') AS holders
    FROM jobs CROSS JOIN LATERAL unnest(limit_keys, limit_values) AS cap(key, value)
    CROSS JOIN LATERAL (
        SELECT count(*) AS running,
               array_agg(other.id ORDER BY other.started_at) FILTER (
                   WHERE other.tenant_id = :tenant AND other.owner_id = coalesce(:owner, other.owner_id)) AS holders
        FROM jobs AS other WHERE other.status = 'running' AND other.limit_keys @> ARRAY[cap.key]
    ) AS held
    WHERE jobs.id = :id AND jobs.tenant_id = :tenant ORDER BY cap.key
    """,
    id=Uuid(),
    tenant=Uuid(),
    owner=Uuid(),
)
_AHEAD = statement(
    """
    SELECT count(*) FROM (
        SELECT FROM jobs
        WHERE queue = :queue AND status = 'queued' AND pending_after = 0 AND run_at <= statement_timestamp()
          AND rank_at <= :rank AND (rank_at, id) < (:rank, :id)
        LIMIT :limit) AS ahead
    """,
    queue=Text(),
    rank=TIMESTAMP(timezone=True),
    id=Uuid(),
    limit=Integer(),
)
# The newest ends of each kind by an index; how far back they reach tells how quickly they came.
_THROUGHPUT = statement(
    """
    SELECT queue, sum(ended / seconds)::float AS ended, sum(failed / seconds)::float AS failed
    FROM (SELECT newest.queue, count(*) AS ended, count(*) FILTER (WHERE newest.status = 'failed') AS failed,
                 greatest(extract(epoch FROM statement_timestamp() - min(newest.finished_at)), 5) AS seconds
          FROM unnest(:kinds) AS wanted(kind) CROSS JOIN LATERAL (
              SELECT queue, status, finished_at FROM jobs
              WHERE jobs.kind = wanted.kind AND finished_at > statement_timestamp() - :window
                AND started_at IS NOT NULL
              ORDER BY finished_at DESC LIMIT 1000) AS newest
          GROUP BY newest.queue, wanted.kind) AS ends
    GROUP BY queue
    """,
    kinds=TEXTS,
    window=INTERVAL(),
)


class WaitingRepository:
    """What a waiting job waits for."""

    async def list_awaited(self, db: Executor, job_id: UUID, reach: Reach, *, limit: int) -> list[AwaitedJob]:
        """The jobs whose ends a job still waits for."""
        values = {"id": job_id, "tenant": reach.tenant_id, "limit": limit}
        rows = (await execute(db, _AWAITED, values)).mappings()
        return [AwaitedJob(**{**row, "status": JobStatus(row["status"])}) for row in rows]

    async def list_limits(self, db: Executor, job_id: UUID, reach: Reach) -> list[LimitUse]:
        """Every limit that a job falls under, and how much of it is taken."""
        values = {"id": job_id, "tenant": reach.tenant_id, "owner": reach.user_id}
        return [LimitUse(**row) for row in (await execute(db, _LIMITS, values)).mappings()]

    async def count_ahead(self, db: Executor, queue: str, rank_at: datetime, job_id: UUID, *, limit: int) -> int:
        """How many jobs of the queue may start and come before this one, counted up to `limit`."""
        values = {"queue": queue, "rank": rank_at, "id": job_id, "limit": limit}
        return int((await execute(db, _AHEAD, values)).scalar_one())

    async def list_throughput(self, db: Executor, kinds: Sequence[str], window: timedelta) -> dict[str, Throughput]:
        """By queue: how quickly jobs of these kinds ended within `window`; queues without ends are missing."""
        rows = (await execute(db, _THROUGHPUT, {"kinds": list(kinds), "window": window})).mappings()
        return {row["queue"]: Throughput(**row) for row in rows}
