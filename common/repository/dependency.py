"""Queries about jobs that wait for others: what they wait for, and what the end of one means for the rest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Uuid

from common.queue.status import JobStatus
from common.repository.job import Owner
from common.repository.sql import TEXTS, UUIDS, Executor, execute, statement


@dataclass(frozen=True, slots=True)
class Parent:
    """A job that another one shall wait for, locked until the transaction ends."""

    id: UUID
    owner_id: UUID
    kind: str
    queue: str
    status: JobStatus
    priority: int
    dispatch_no: int
    is_due: bool


@dataclass(frozen=True, slots=True)
class FreedJob:
    """A job one of whose dependencies ended. It may start when it is queued and `pending_after` is zero."""

    id: UUID
    owner_id: UUID
    kind: str
    queue: str
    status: JobStatus
    attempt: int
    run_at: datetime
    priority: int
    dispatch_no: int
    pending_after: int
    has_dependants: bool
    error: dict[str, Any] | None


# The lock makes a finish wait until the dependant is committed; then it sees the flag.
_LOCK = statement(
    """
    WITH found AS (
        SELECT id, owner_id, kind, queue, status, priority, dispatch_no,
               status = 'queued' AND pending_after = 0 AND run_at <= clock_timestamp() AS is_due
        FROM jobs WHERE id = ANY(:ids) AND tenant_id = :tenant AND owner_id = :owner
        ORDER BY id FOR NO KEY UPDATE
    ), flagged AS (
        UPDATE jobs SET has_dependants = true FROM found
        WHERE jobs.id = found.id AND found.status <> 'succeeded' AND NOT jobs.has_dependants
    )
    SELECT * FROM found
    """,
    ids=UUIDS,
    tenant=Uuid(),
    owner=Uuid(),
)
_ADD = statement(
    """
    INSERT INTO job_dependencies (job_id, depends_on_id, on_failure)
    SELECT :job, v.id, v.on_failure FROM unnest(:ids, :on_failures) AS v(id, on_failure)
    """,
    job=Uuid(),
    ids=UUIDS,
    on_failures=TEXTS,
)

# A statement of its own: what follows then sees the dependants of every submit that held one of these rows.
_LOCK_ENDED = statement(
    "SELECT id FROM jobs WHERE id = ANY(:ids) AND finished_at IS NOT NULL ORDER BY id FOR NO KEY UPDATE", ids=UUIDS
)
# Each dependency row is deleted once, so each end counts once. An ended dependant only counts down.
_RESOLVE = statement(
    """
    WITH parent AS (
        SELECT id, status FROM jobs WHERE id = ANY(:ids)
    ), done AS (
        DELETE FROM job_dependencies AS dependency USING parent WHERE dependency.depends_on_id = parent.id
        RETURNING dependency.job_id, parent.id AS parent_id, parent.status, dependency.on_failure
    ), effect AS (
        SELECT job_id, count(*) AS ended,
               (array_agg(on_failure ORDER BY on_failure DESC) FILTER (WHERE status <> 'succeeded'
                                                                         AND on_failure <> 'run'))[1] AS consequence,
               (array_agg(parent_id ORDER BY on_failure DESC) FILTER (WHERE status <> 'succeeded'
                                                                        AND on_failure <> 'run'))[1] AS culprit_id,
               (array_agg(status ORDER BY on_failure DESC) FILTER (WHERE status <> 'succeeded'
                                                                     AND on_failure <> 'run'))[1] AS culprit_status
        FROM done GROUP BY job_id
    ), cleared AS (
        UPDATE jobs SET has_dependants = false
        FROM parent WHERE jobs.id = parent.id AND NOT EXISTS (SELECT FROM effect WHERE effect.job_id = parent.id)
    ), dependant AS (
        SELECT jobs.id, effect.ended, effect.culprit_id, effect.culprit_status,
               CASE WHEN jobs.status = 'queued' THEN effect.consequence END AS consequence
        FROM effect JOIN jobs ON jobs.id = effect.job_id
        ORDER BY jobs.id FOR NO KEY UPDATE OF jobs
    ), moved AS (
        UPDATE jobs SET
            pending_after = pending_after - ended,
            has_dependants = has_dependants AND NOT EXISTS (SELECT FROM parent WHERE parent.id = jobs.id),
            status = CASE consequence WHEN 'fail' THEN 'failed' WHEN 'cancel' THEN 'cancelled' ELSE status END,
            error = CASE WHEN consequence IS NULL THEN error ELSE jsonb_build_object(
                'code', CASE consequence WHEN 'fail' THEN 'dependency_failed' ELSE 'cancelled' END,
                'message', format('job %s, which it waited for, has %s', culprit_id,
                                  CASE culprit_status WHEN 'cancelled' THEN 'been cancelled' ELSE culprit_status END),
                'job_id', culprit_id) END,
            finished_at = CASE WHEN consequence IS NULL THEN finished_at ELSE clock_timestamp() END,
            dispatch_no = dispatch_no + 1,
            next_dispatch_at = greatest(run_at, clock_timestamp()) + interval '10 seconds',
            updated_at = clock_timestamp()
        FROM dependant WHERE jobs.id = dependant.id
        RETURNING jobs.id, owner_id, kind, queue, status, attempt, run_at, priority, dispatch_no, pending_after,
                  has_dependants, error, consequence
    )
    SELECT id, owner_id, kind, queue, status, attempt, run_at, priority, dispatch_no, pending_after, has_dependants,
           error
    FROM moved WHERE consequence IS NOT NULL OR (status = 'queued' AND pending_after = 0)
    """,
    ids=UUIDS,
)
_UNRESOLVED = statement("SELECT id FROM jobs WHERE has_dependants AND finished_at IS NOT NULL ORDER BY id LIMIT :limit")


class DependencyRepository:
    """What waits for what. A dependency row exists until the end that it waits for was accounted."""

    async def lock(self, db: Executor, ids: Sequence[UUID], owner: Owner) -> list[Parent]:
        """Those of `ids` that are the owner's, locked and told that somebody waits for them."""
        values = {"ids": list(ids), "tenant": owner.tenant_id, "owner": owner.user_id}
        rows = (await execute(db, _LOCK, values)).mappings()
        return [Parent(**{**row, "status": JobStatus(row["status"])}) for row in rows]

    async def add(self, db: Executor, job_id: UUID, policies: Mapping[UUID, str]) -> None:
        """Let a job wait for others; each policy says what their failure means: fail, run or cancel."""
        values = {"job": job_id, "ids": list(policies), "on_failures": [str(policy) for policy in policies.values()]}
        await execute(db, _ADD, values)

    async def resolve(self, db: Executor, ids: Sequence[UUID]) -> list[FreedJob]:
        """Account the ends of `ids` to the jobs that wait for them; those that may start now, failed or were cancelled.

        Needs a transaction. Safe to call twice and by several at once; jobs among `ids` that have not ended are left
        alone.
        """
        ended = [row.id for row in await execute(db, _LOCK_ENDED, {"ids": list(ids)})]
        rows = (await execute(db, _RESOLVE, {"ids": ended})).mappings()
        return [FreedJob(**{**row, "status": JobStatus(row["status"])}) for row in rows]

    async def find_unresolved(self, db: Executor, *, limit: int) -> list[UUID]:
        """Ended jobs whose dependants have not heard of it."""
        return [row.id for row in await execute(db, _UNRESOLVED, {"limit": limit})]
