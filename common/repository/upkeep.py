"""Queries of the reconciler: dead leases, lost hints, expiry. Each is safe when several processes run it at once."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Boolean
from sqlalchemy.ext.asyncio import AsyncSession

from common.queue.status import JobStatus
from common.repository.attempt import DueJob
from common.repository.sql import UUIDS, AnyExecutor, Executor, execute, fetch, statement


@dataclass(frozen=True, slots=True)
class MovedJob:
    """A row that the reconciler moved, as its event needs it."""

    id: UUID
    owner_id: UUID
    kind: str
    queue: str
    status: JobStatus
    attempt: int
    run_at: datetime
    priority: int
    dispatch_no: int
    error: dict[str, Any] | None


_MOVED = "id, owner_id, kind, queue, status, attempt, run_at, priority, dispatch_no, error"

_END_EXPIRED_LEASES = statement(
    """
    UPDATE workers SET stopped_at = clock_timestamp()
    FROM (SELECT id AS worker_id FROM workers WHERE stopped_at IS NULL AND lease_expires_at < clock_timestamp()
          FOR UPDATE SKIP LOCKED) AS late
    WHERE id = late.worker_id
    RETURNING id
    """
)

# When a row changed since the look, PostgreSQL checks conditions on that row again, but no absence of other rows: the
# attempt tells a job that another worker holds by now.
# A crash uses its own budget. A requested cancel wins over another run. Whatever has one crash left runs one at a
# time from then on, under a limit of its own, so that the poison is told from those that merely died beside it.
_REAP = statement(
    f"""
    WITH dead AS MATERIALIZED (
        SELECT id AS job_id, attempt AS dead_attempt FROM jobs
        WHERE status = 'running'
          AND NOT EXISTS (SELECT FROM workers WHERE workers.id = jobs.lease_owner AND stopped_at IS NULL)
        ORDER BY id LIMIT :limit
    ), orphan AS (
        SELECT job_id, lease_owner AS worker_id,
               crashes + 2 = :max_crashes AND 'crashed' <> ALL(coalesce(limit_keys, '{{}}')) AS has_one_left
        FROM dead JOIN jobs ON id = job_id AND attempt = dead_attempt AND status = 'running'
        ORDER BY job_id FOR UPDATE OF jobs SKIP LOCKED
    ), moved AS (
        UPDATE jobs SET
            status = CASE WHEN cancel_requested_at IS NOT NULL THEN 'cancelled'
                          WHEN crashes + 1 >= :max_crashes THEN 'failed' ELSE 'queued' END,
            error = CASE WHEN cancel_requested_at IS NOT NULL
                         THEN '{{"code": "cancelled", "message": "cancelled while its worker was gone"}}'::jsonb
                         WHEN crashes + 1 >= :max_crashes
                         THEN jsonb_build_object('code', 'poison', 'message',
                              format('its worker died %s times while running it', crashes + 1)) END,
            finished_at = CASE WHEN cancel_requested_at IS NOT NULL OR crashes + 1 >= :max_crashes
                               THEN clock_timestamp() END,
            limit_keys = CASE WHEN has_one_left THEN array_append(limit_keys, 'crashed') ELSE limit_keys END,
            limit_values = CASE WHEN has_one_left THEN array_append(limit_values, 1) ELSE limit_values END,
            crashes = crashes + 1, lease_owner = NULL, updated_at = clock_timestamp(), waiting = NULL,
            run_at = clock_timestamp() + crashes * interval '1 second',
            rank_at = clock_timestamp() + crashes * interval '1 second' - priority * interval '1 minute',
            dispatch_no = dispatch_no + 1, next_dispatch_at = clock_timestamp() + interval '10 seconds'
        FROM orphan WHERE id = orphan.job_id
        RETURNING {_MOVED}, started_at, orphan.worker_id
    ), kept AS (
        INSERT INTO attempts (job_id, attempt, worker_id, outcome, error, started_at, finished_at)
        SELECT id, attempt, worker_id, 'crashed', '{{"code": "crashed", "message": "its worker died"}}',
               started_at, clock_timestamp() FROM moved
        ON CONFLICT DO NOTHING
    )
    SELECT {_MOVED} FROM moved
    """
)

_EXPIRE = statement(
    f"""
    UPDATE jobs SET status = 'expired', finished_at = clock_timestamp(), updated_at = clock_timestamp(), waiting = NULL,
                    error = '{{"code": "expired", "message": "it was not started in time"}}'
    FROM (SELECT id AS job_id FROM jobs
          WHERE status = 'queued' AND expires_at <= statement_timestamp()
          ORDER BY expires_at LIMIT :limit FOR UPDATE SKIP LOCKED) AS late
    WHERE id = late.job_id
    RETURNING {_MOVED}
    """
)

# No statement leaves such a row; should one come to be, nothing else would ever end it.
_END_CANCELLED = statement(
    f"""
    UPDATE jobs SET status = 'cancelled', finished_at = clock_timestamp(), updated_at = clock_timestamp(),
                    waiting = NULL, error = '{{"code": "cancelled", "message": "cancelled before it started"}}'
    FROM (SELECT id AS job_id FROM jobs WHERE status = 'queued' AND cancel_requested_at IS NOT NULL
          ORDER BY id LIMIT :limit FOR UPDATE SKIP LOCKED) AS waiting_for_nobody
    WHERE id = waiting_for_nobody.job_id
    RETURNING {_MOVED}
    """
)

_DUE = statement(
    """
    SELECT id, owner_id, kind, queue, priority, dispatch_no + 1 AS dispatch_no FROM jobs
    WHERE status = 'queued' AND pending_after = 0
      AND next_dispatch_at <= statement_timestamp() AND run_at <= statement_timestamp()
    ORDER BY next_dispatch_at LIMIT :limit FOR UPDATE SKIP LOCKED
    """
)

_DISPATCHED = statement(
    """
    UPDATE jobs SET dispatch_no = dispatch_no + 1,
                    next_dispatch_at = clock_timestamp() + CASE WHEN v.was_missing
                        THEN least(interval '30 seconds' * power(2, least(dispatch_no, 6)), interval '5 minutes')
                        ELSE interval '5 minutes' END
    FROM unnest(:ids, :missing) AS v(id, was_missing) WHERE jobs.id = v.id
    """,
    ids=UUIDS,
    missing=ARRAY(Boolean),
)

_WAITING = statement(
    """
    SELECT id, owner_id, kind, queue, priority, dispatch_no FROM jobs
    WHERE status = 'queued' AND pending_after = 0 AND run_at <= clock_timestamp()
    ORDER BY next_dispatch_at
    """
)

# Each is told by the head of an index; only a stable time can bound its scan. Workers that ended long ago have no jobs.
# `OFFSET 0` keeps a look at a few rows of one table from becoming a join with all running jobs.
_LOOK = statement(
    """
    SELECT EXISTS (SELECT FROM workers WHERE stopped_at IS NULL AND lease_expires_at < statement_timestamp()),
           EXISTS (SELECT FROM workers WHERE stopped_at > statement_timestamp() - interval '1 day'
                     AND EXISTS (SELECT FROM jobs WHERE lease_owner = workers.id AND status = 'running' OFFSET 0))
    """
)
_LOOK_AS_LEADER = statement(
    f"""
    {_LOOK.text},
           EXISTS (SELECT FROM jobs WHERE status = 'queued' AND expires_at <= statement_timestamp())
             OR EXISTS (SELECT FROM jobs WHERE status = 'queued' AND cancel_requested_at IS NOT NULL),
           EXISTS (SELECT FROM jobs WHERE status = 'queued' AND pending_after = 0
                     AND next_dispatch_at <= statement_timestamp() AND run_at <= statement_timestamp()),
           EXISTS (SELECT FROM jobs WHERE has_dependants AND finished_at IS NOT NULL),
           EXISTS (SELECT FROM budget_reservations AS r
                   WHERE NOT EXISTS (SELECT FROM jobs WHERE jobs.id = r.job_id AND jobs.attempt = r.attempt
                                                        AND jobs.status || '' = 'running' OFFSET 0))
    """
)


@dataclass(frozen=True, slots=True)
class Upkeep:
    """What there is to do: leases that ran out and jobs of dead workers.

    For the leader also: jobs to end, missing hints, ends to account, money kept back for attempts that are gone.
    """

    late_leases: bool
    orphans: bool
    over: bool = False
    due: bool = False
    unresolved: bool = False
    kept_back: bool = False


class UpkeepRepository:
    """What keeps the rows moving. Batches are bounded; rows that somebody else holds are skipped."""

    async def end_expired_leases(self, db: Executor) -> list[UUID]:
        """Declare dead every worker whose lease ran out; from then on its heartbeat is refused."""
        return [row.id for row in await execute(db, _END_EXPIRED_LEASES, {})]

    async def reap(self, db: Executor, *, limit: int, max_crashes: int) -> list[MovedJob]:
        """Take the running jobs of dead workers back: queued again, or ended when cancelled or poisonous."""
        return _moved(await execute(db, _REAP, {"limit": limit, "max_crashes": max_crashes}))

    async def expire(self, db: Executor, *, limit: int) -> list[MovedJob]:
        """End waiting jobs whose `expires_at` has passed."""
        return _moved(await execute(db, _EXPIRE, {"limit": limit}))

    async def end_cancelled(self, db: Executor, *, limit: int) -> list[MovedJob]:
        """End waiting jobs whose cancel was requested: no claim starts them."""
        return _moved(await execute(db, _END_CANCELLED, {"limit": limit}))

    async def lock_due(self, db: Executor, *, limit: int) -> list[DueJob]:
        """Waiting jobs that want a hint, locked until the transaction ends. Publish, then `mark_dispatched`."""
        return [DueJob(**row) for row in (await execute(db, _DUE, {"limit": limit})).mappings()]

    async def mark_dispatched(self, db: Executor, was_missing: Mapping[UUID, bool]) -> None:
        """Put off the next look: 5 min where the hint was waiting already, else 30 s, doubled each time up to 5 min."""
        values = {"ids": list(was_missing), "missing": list(was_missing.values())}
        await execute(db, _DISPATCHED, values)

    async def look(self, db: AnyExecutor, *, is_leading: bool = True) -> Upkeep:
        """What there is to do, in one cheap statement; what only a leader does is left out for the others."""
        [row] = await fetch(db, _LOOK_AS_LEADER if is_leading else _LOOK, {})
        return Upkeep(*row)

    async def waiting(self, db: AsyncSession, *, batch: int) -> AsyncGenerator[list[DueJob]]:
        """Every job that may start, in batches, however many there are."""
        rows = await db.stream(_WAITING, execution_options={"yield_per": batch})
        async for part in rows.partitions():
            yield [DueJob(*row) for row in part]


def _moved(result: Any) -> list[MovedJob]:
    return [MovedJob(**{**row, "status": JobStatus(row["status"])}) for row in result.mappings()]
