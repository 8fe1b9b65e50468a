"""Counts over all jobs, for dashboards: one statement over what waits and runs, never over what has ended."""

from dataclasses import dataclass

from sqlalchemy import text

from common.repository.sql import Executor, fetch, statement

_LIMIT = text("SET LOCAL statement_timeout = 2000")
_FIGURES = statement(
    """
    SELECT queue, state, reason, count(*) AS jobs,
           coalesce(extract(epoch FROM now() - min(run_at)), 0)::float8 AS oldest,
           coalesce(extract(epoch FROM now() - min(next_dispatch_at)), 0)::float8 AS undispatched
    FROM (SELECT jobs.queue, run_at, next_dispatch_at,
                 CASE WHEN status = 'running' THEN 'running' WHEN pending_after > 0 THEN 'blocked'
                      WHEN run_at > now() THEN 'scheduled' WHEN is_paused OR waiting = 'concurrency' THEN 'blocked'
                      ELSE 'queued' END AS state,
                 CASE WHEN status = 'running' THEN '' WHEN pending_after > 0 THEN 'dependency'
                      WHEN run_at > now() AND waiting IS NOT NULL THEN 'retry' WHEN run_at > now() THEN 'schedule'
                      WHEN is_paused THEN 'paused' WHEN waiting = 'concurrency' THEN 'concurrency'
                      ELSE '' END AS reason
          FROM jobs LEFT JOIN queues ON queues.name = jobs.queue WHERE status IN ('queued', 'running')) AS open
    GROUP BY 1, 2, 3
    """
)

# A call may keep tokens back from several budgets; it uses them once.
_RESERVED = statement(
    """
    SELECT coalesce(sum(tokens), 0)::float8
    FROM (SELECT max(tokens) AS tokens FROM budget_reservations GROUP BY call_id) AS calls
    """
)


@dataclass(frozen=True, slots=True)
class OpenJobs:
    """Jobs of one queue that have not ended and are in one state for one reason (empty: for none).

    `oldest` is how long the one that may start since longest waits, `undispatched` how long ago its hint was due;
    seconds, negative for what is still to come.
    """

    queue: str
    state: str
    reason: str
    jobs: int
    oldest: float
    undispatched: float


class FiguresRepository:
    """What is exported as metrics of the installation, not of a process: no tenant is told apart."""

    async def open_jobs(self, db: Executor) -> list[OpenJobs]:
        """Everything that waits or runs. Costs one scan over these rows, which PostgreSQL gives up after 2 s."""
        await db.execute(_LIMIT)
        return [OpenJobs(*row) for row in await fetch(db, _FIGURES, {})]

    async def reserved_tokens(self, db: Executor) -> float:
        """Tokens that are kept back from budgets for calls under way."""
        [[tokens]] = await fetch(db, _RESERVED, {})
        return float(tokens)
