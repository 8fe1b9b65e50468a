"""Queries about queues: pause, resume, and what waits and runs in each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from common.repository.sql import Executor, execute, statement


@dataclass(frozen=True, slots=True)
class QueueState:
    """One queue as operators see it: of its `queued` jobs `due` may start now, the oldest of them since `oldest_at`."""

    name: str
    is_paused: bool
    queued: int
    due: int
    running: int
    oldest_at: datetime | None


_SET_PAUSED = statement(
    """
    INSERT INTO queues (name, is_paused) VALUES (:name, :is_paused)
    ON CONFLICT (name) DO UPDATE SET is_paused = :is_paused, updated_at = now()
    """
)
_STATES = statement(
    """
    SELECT coalesce(jobs.queue, queues.name) AS name, coalesce(is_paused, false) AS is_paused,
           count(*) FILTER (WHERE status = 'queued') AS queued, count(*) FILTER (WHERE status = 'running') AS running,
           count(*) FILTER (WHERE is_due) AS due, min(run_at) FILTER (WHERE is_due) AS oldest_at
    FROM queues FULL JOIN (
        SELECT queue, status, run_at, status = 'queued' AND pending_after = 0 AND run_at <= now() AS is_due
        FROM jobs WHERE status IN ('queued', 'running')) AS jobs ON jobs.queue = queues.name
    GROUP BY 1, 2 ORDER BY 1
    """
)
_PAUSED = statement("SELECT name FROM queues WHERE is_paused")


class QueueRepository:
    """What operators steer."""

    async def set_paused(self, db: Executor, name: str, *, is_paused: bool) -> None:
        """Stop or allow claims from a queue; running jobs go on."""
        await execute(db, _SET_PAUSED, {"name": name, "is_paused": is_paused})

    async def list_paused(self, db: Executor) -> Sequence[str]:
        """The names of the queues that nobody may claim from."""
        return [row.name for row in await execute(db, _PAUSED, {})]

    async def list_states(self, db: Executor) -> list[QueueState]:
        """Every queue that has jobs or a decision about it."""
        return [QueueState(**row) for row in (await execute(db, _STATES, {})).mappings()]
