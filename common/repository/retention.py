"""Queries that remove what has had its time. Batches are bounded; rows that somebody else holds are skipped."""

from collections.abc import Mapping
from datetime import timedelta

from sqlalchemy import Integer
from sqlalchemy.dialects.postgresql import INTERVAL

from common.repository.sql import INTERVALS, TEXTS, Executor, execute, statement

# The kinds that have ended jobs are found by skipping through the index, so that those no release knows are purged too.
_PURGE_JOBS = statement(
    """
    WITH RECURSIVE kept AS (
        (SELECT kind FROM jobs WHERE finished_at IS NOT NULL ORDER BY kind LIMIT 1)
        UNION ALL
        SELECT (SELECT jobs.kind FROM jobs WHERE finished_at IS NOT NULL AND jobs.kind > kept.kind
                ORDER BY jobs.kind LIMIT 1)
        FROM kept WHERE kept.kind IS NOT NULL
    ), due AS MATERIALIZED (
        SELECT over.id FROM kept
        LEFT JOIN unnest(:kinds, :retentions) AS known(kind, retention) ON known.kind = kept.kind
        CROSS JOIN LATERAL (
            SELECT jobs.id FROM jobs
            WHERE jobs.kind = kept.kind AND finished_at < now() - coalesce(known.retention, :default)
              AND NOT has_dependants
              AND NOT EXISTS (SELECT FROM job_dependencies WHERE depends_on_id = jobs.id)
            ORDER BY finished_at LIMIT :limit FOR UPDATE SKIP LOCKED
        ) AS over
        LIMIT :limit
    ), purged AS (
        DELETE FROM jobs USING due WHERE jobs.id = due.id AND finished_at IS NOT NULL
        RETURNING jobs.id, jobs.tenant_id, jobs.owner_id
    )
    INSERT INTO purged_jobs (id, tenant_id, owner_id) SELECT id, tenant_id, owner_id FROM purged
    ON CONFLICT DO NOTHING
    """,
    kinds=TEXTS,
    retentions=INTERVALS,
    default=INTERVAL(),
    limit=Integer(),
)
_PURGE_KEYS = statement(
    """
    DELETE FROM idempotency_keys USING (
        SELECT tenant_id, owner_id, route, key FROM idempotency_keys WHERE expires_at < now()
        ORDER BY expires_at LIMIT :limit FOR UPDATE SKIP LOCKED
    ) AS late
    WHERE (idempotency_keys.tenant_id, idempotency_keys.owner_id, idempotency_keys.route, idempotency_keys.key)
        = (late.tenant_id, late.owner_id, late.route, late.key)
    """,
    limit=Integer(),
)
# A slot whose job is still active is looked at again later.
_PURGE_SLOTS = statement(
    """
    WITH late AS (
        SELECT slot.tenant_id, slot.owner_id, slot.kind, slot.key,
               EXISTS (SELECT FROM jobs WHERE jobs.id IN (slot.job_id, slot.behind_id)
                                          AND status IN ('queued', 'running')) AS is_active
        FROM unique_slots AS slot WHERE keep_until < now()
        ORDER BY keep_until LIMIT :limit FOR UPDATE SKIP LOCKED
    ), kept AS (
        UPDATE unique_slots AS slot SET keep_until = now() + interval '1 hour' FROM late
        WHERE late.is_active AND (slot.tenant_id, slot.owner_id, slot.kind, slot.key)
                               = (late.tenant_id, late.owner_id, late.kind, late.key)
    )
    DELETE FROM unique_slots AS slot USING late
    WHERE NOT late.is_active AND (slot.tenant_id, slot.owner_id, slot.kind, slot.key)
                               = (late.tenant_id, late.owner_id, late.kind, late.key)
    """,
    limit=Integer(),
)
_PURGE_BATCHES = statement(
    """
    DELETE FROM batches USING (
        SELECT id AS batch_id FROM batches AS old
        WHERE created_at < now() - :retention AND NOT EXISTS (SELECT FROM jobs WHERE jobs.batch_id = old.id)
        ORDER BY created_at LIMIT :limit FOR UPDATE SKIP LOCKED
    ) AS empty
    WHERE id = empty.batch_id
    """,
    retention=INTERVAL(),
    limit=Integer(),
)
_FORGET_PURGED = statement(
    """
    DELETE FROM purged_jobs USING (
        SELECT id AS job_id FROM purged_jobs WHERE purged_at < now() - :retention
        ORDER BY purged_at LIMIT :limit FOR UPDATE SKIP LOCKED
    ) AS old
    WHERE id = old.job_id
    """,
    retention=INTERVAL(),
    limit=Integer(),
)
_PURGE_ACCOUNTS = tuple(
    statement(
        f"""
        DELETE FROM {table} USING (
            SELECT {key} AS gone FROM {table} WHERE expires_at < now() - interval '{kept}'
            ORDER BY expires_at LIMIT :limit FOR UPDATE SKIP LOCKED
        ) AS late
        WHERE {key} = gone
        """,
        limit=Integer(),
    )
    for table, key, kept in (
        ("login_sessions", "id", "30 days"),
        ("email_codes", "code_hash", "1 day"),
        ("attempt_counts", "key", "1 hour"),
    )
)


class RetentionRepository:
    """Removes at most `limit` rows a call and answers how many."""

    async def purge_jobs(
        self, db: Executor, retentions: Mapping[str, timedelta], *, default: timedelta, limit: int
    ) -> int:
        """Remove ended jobs, with attempts and results, whose kind's retention is over; their ids are kept.

        A job that others still wait for stays.
        """
        values = {"kinds": list(retentions), "retentions": list(retentions.values())}
        return (await execute(db, _PURGE_JOBS, {**values, "default": default, "limit": limit})).rowcount

    async def purge_keys(self, db: Executor, *, limit: int) -> int:
        """Remove idempotency keys that are over."""
        return (await execute(db, _PURGE_KEYS, {"limit": limit})).rowcount

    async def purge_slots(self, db: Executor, *, limit: int) -> int:
        """Remove unique slots that nobody needs any more."""
        return (await execute(db, _PURGE_SLOTS, {"limit": limit})).rowcount

    async def purge_accounts(self, db: Executor, *, limit: int) -> int:
        """Remove sessions, codes and counts of attempts that were over some time ago, of each at most `limit`."""
        return max([(await execute(db, query, {"limit": limit})).rowcount for query in _PURGE_ACCOUNTS])

    async def purge_batches(self, db: Executor, retention: timedelta, *, limit: int) -> int:
        """Remove old batches whose jobs are gone."""
        return (await execute(db, _PURGE_BATCHES, {"retention": retention, "limit": limit})).rowcount

    async def forget_purged(self, db: Executor, retention: timedelta, *, limit: int) -> int:
        """Remove the ids of jobs that were purged long ago."""
        return (await execute(db, _FORGET_PURGED, {"retention": retention, "limit": limit})).rowcount
