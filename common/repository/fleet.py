"""Queries about the whole fleet: which workers live, what they hold, and what each queue has to be served with."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from common.queue.waiting import Lanes
from common.repository.sql import AnyExecutor, Executor, execute, fetch, statement


@dataclass(frozen=True, slots=True)
class WorkerState:
    """One living worker process. `running` counts the jobs it holds.

    It takes none while `is_paused`; while `is_draining` it also hands back what it runs, after its grace.
    """

    id: UUID
    host: str
    pid: int
    queues: Sequence[str]
    concurrency: int
    running: int
    is_paused: bool
    is_draining: bool
    is_late: bool
    started_at: datetime
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class QueueService:
    """What serves one queue: living workers, and how many jobs they may run together (of all their queues)."""

    workers: int
    slots: int


_WORKERS = statement(
    """
    SELECT id, host, pid, queues, concurrency, coalesce(held.running, 0) AS running, is_draining AS is_paused,
           hands_back AS is_draining, lease_expires_at <= clock_timestamp() AS is_late, started_at, seen_at
    FROM workers
    LEFT JOIN (SELECT lease_owner, count(*) AS running FROM jobs WHERE status = 'running' GROUP BY 1) AS held
         ON held.lease_owner = workers.id
    WHERE stopped_at IS NULL ORDER BY started_at, id
    """
)
_SERVICE = statement(
    """
    SELECT name, count(*) AS workers, coalesce(sum(concurrency), 0) AS slots
    FROM workers CROSS JOIN LATERAL unnest(queues) AS name
    WHERE stopped_at IS NULL AND NOT is_draining AND lease_expires_at > clock_timestamp() GROUP BY name
    """
)

_LANES = statement(
    """
    SELECT ARRAY(SELECT name FROM queues WHERE is_paused),
           ARRAY(SELECT DISTINCT unnest(queues) FROM workers
                 WHERE stopped_at IS NULL AND NOT is_draining AND lease_expires_at > statement_timestamp())
    """
)


class FleetRepository:
    """What operators look at before they steer."""

    async def list_workers(self, db: Executor) -> list[WorkerState]:
        """The workers that have not ended, oldest first."""
        return [WorkerState(**row) for row in (await execute(db, _WORKERS, {})).mappings()]

    async def list_service(self, db: Executor) -> dict[str, QueueService]:
        """By queue: the workers that claim from it now."""
        rows = (await execute(db, _SERVICE, {})).mappings()
        return {row["name"]: QueueService(row["workers"], row["slots"]) for row in rows}

    async def find_lanes(self, db: AnyExecutor) -> Lanes:
        """Which queues are paused, and which have a worker that claims; cheap."""
        [(paused, served)] = await fetch(db, _LANES, {})
        return Lanes(frozenset(paused), frozenset(served))
