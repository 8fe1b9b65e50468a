"""Queries about concurrency limits. Running rows are counted, so a limit cannot leak when a process dies."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import Uuid

from common.repository.attempt import STARTABLE, STARTABLE_BY_KEY, ClaimedJob, DueJob, claim_sql, claimed
from common.repository.sql import TEXTS, UUIDS, AnyExecutor, Executor, execute, fetch, statement

_LIMITED = statement(
    f"SELECT id, limit_keys FROM jobs WHERE id = ANY(:ids) AND limit_keys IS NOT NULL AND {STARTABLE_BY_KEY}", ids=UUIDS
)
_LIMITED_NEXT = statement(
    f"""
    SELECT id, limit_keys FROM jobs WHERE queue = ANY(:queues) AND limit_keys IS NOT NULL AND {STARTABLE}
    ORDER BY rank_at LIMIT :limit
    """,
    queues=TEXTS,
)
# One claim at a time for each limited key; the order of the locks rules out deadlocks.
_LOCK_LIMITS = statement(
    """
    SELECT pg_advisory_xact_lock(hashtextextended(key, 0))
    FROM (SELECT DISTINCT key FROM unnest(:keys) AS given(key) ORDER BY key) AS ordered
    """,
    keys=TEXTS,
)
_WITHIN_LIMITS = """
    id = ANY(:ids) AND id NOT IN (
        SELECT ranked.id FROM (
            SELECT jobs.id, cap.key, cap.value, row_number() OVER (PARTITION BY cap.key ORDER BY jobs.rank_at) AS place
            FROM jobs CROSS JOIN LATERAL unnest(limit_keys, limit_values) AS cap(key, value)
            WHERE jobs.id = ANY(:ids)
        ) AS ranked
        WHERE ranked.place + (SELECT count(*) FROM jobs AS other WHERE other.status = 'running'
                              AND other.limit_keys @> ARRAY[ranked.key]) > ranked.value
    )
"""
_CLAIM_LIMITED = statement(claim_sql(_WITHIN_LIMITS), worker=Uuid(), ids=UUIDS)
_NOTE_LIMITED = statement(
    """
    UPDATE jobs SET waiting = 'concurrency', next_dispatch_at = clock_timestamp() + interval '30 seconds'
    WHERE id = ANY(:ids) AND status = 'queued'
    """,
    ids=UUIDS,
)
_NEXT_FOR_LIMITS = statement(
    """
    SELECT DISTINCT next.* FROM unnest(:keys) AS freed(key) CROSS JOIN LATERAL (
        SELECT id, owner_id, kind, queue, priority, dispatch_no FROM jobs
        WHERE status = 'queued' AND pending_after = 0 AND limit_keys @> ARRAY[freed.key]
          AND run_at <= clock_timestamp()
        ORDER BY rank_at LIMIT 1
    ) AS next
    """,
    keys=TEXTS,
)


class LimitRepository:
    """Jobs that may only run so many at a time."""

    async def find(
        self, db: AnyExecutor, *, ids: Sequence[UUID] = (), queues: Sequence[str] = (), limit: int = 0
    ) -> dict[UUID, list[str]]:
        """Startable jobs with concurrency limits, among `ids` or at the head of `queues`, and their keys."""
        if ids:
            rows = await fetch(db, _LIMITED, {"ids": list(ids)})
        else:
            rows = await fetch(db, _LIMITED_NEXT, {"queues": list(queues), "limit": limit})
        return dict(rows)

    async def claim(self, db: Executor, worker_id: UUID, candidates: Mapping[UUID, Sequence[str]]) -> list[ClaimedJob]:
        """Those candidates that no limit holds back; the others are marked as waiting for it.

        Needs a transaction: it locks the limits' keys until the claim commits.
        """
        await execute(db, _LOCK_LIMITS, {"keys": [key for keys in candidates.values() for key in keys]})
        jobs = claimed(await fetch(db, _CLAIM_LIMITED, {"worker": worker_id, "ids": list(candidates)}))
        held = set(candidates) - {job.id for job in jobs}
        if held:
            await execute(db, _NOTE_LIMITED, {"ids": list(held)})
        return jobs

    async def next_in_line(self, db: AnyExecutor, keys: Sequence[str]) -> list[DueJob]:
        """The job that waits first for each of these limits, now that one of its holders has ended."""
        return [DueJob(*row) for row in await fetch(db, _NEXT_FOR_LIMITS, {"keys": list(keys)})]
