"""Queries about worker incarnations and their leases. The database's clock decides."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import Boolean, Integer, Text, Uuid, select
from sqlalchemy.dialects.postgresql import INTERVAL

from common.database.model import Worker
from common.repository.sql import TEXTS, Executor, execute, statement


@dataclass(frozen=True, slots=True)
class Incarnation:
    """A worker process under one lease; `process_id` is its first incarnation when this is a later one."""

    id: UUID
    host: str
    boot_id: str
    pid: int
    queues: tuple[str, ...]
    concurrency: int
    process_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What a worker learns from renewing its lease; `is_alive` is False when others were told it is dead.

    `database_up` is how long PostgreSQL has been running; with `hands_back` it shall also give back what it runs.
    """

    is_alive: bool
    is_draining: bool
    concurrency: int
    cancelling: frozenset[UUID]
    database_up: timedelta = timedelta(0)
    hands_back: bool = False


# What operators told the process, they told it under its earlier id.
_REGISTER = statement(
    """
    INSERT INTO workers (id, process_id, host, boot_id, pid, queues, concurrency, is_draining, hands_back,
                         lease_expires_at)
    SELECT :id, :process_id, :host, :boot_id, :pid, :queues, coalesce(before.concurrency, :concurrency),
           coalesce(before.is_draining, false), coalesce(before.hands_back, false), clock_timestamp() + :lease
    FROM (SELECT) AS now LEFT JOIN LATERAL (
        SELECT concurrency, is_draining, hands_back FROM workers
        WHERE :process_id <> :id AND (id = :process_id OR process_id = :process_id)
        ORDER BY started_at DESC LIMIT 1) AS before ON true
    ON CONFLICT (id) DO UPDATE SET lease_expires_at = EXCLUDED.lease_expires_at WHERE workers.stopped_at IS NULL
    """,
    id=Uuid(),
    process_id=Uuid(),
    host=Text(),
    boot_id=Text(),
    pid=Integer(),
    queues=TEXTS,
    concurrency=Integer(),
    lease=INTERVAL(),
)
_HEARTBEAT = statement(
    """
    WITH renewed AS (
        UPDATE workers SET seen_at = clock_timestamp(), lease_expires_at = clock_timestamp() + :lease
        WHERE id = :id AND stopped_at IS NULL
        RETURNING is_draining, hands_back, concurrency
    )
    SELECT is_draining, hands_back, concurrency, clock_timestamp() - pg_postmaster_start_time() AS database_up,
           ARRAY(SELECT id FROM jobs WHERE lease_owner = :id AND status = 'running'
                                       AND cancel_requested_at IS NOT NULL) AS cancelling
    FROM renewed
    """,
    id=Uuid(),
    lease=INTERVAL(),
)
_STEER = statement(
    """
    UPDATE workers SET is_draining = coalesce(:is_draining, is_draining),
                       hands_back = coalesce(:hands_back, hands_back),
                       concurrency = coalesce(:concurrency, concurrency)
    WHERE id = :id AND stopped_at IS NULL
    RETURNING id
    """,
    id=Uuid(),
    is_draining=Boolean(),
    hands_back=Boolean(),
    concurrency=Integer(),
)
_STOP = statement(
    """
    UPDATE workers SET stopped_at = clock_timestamp() WHERE (id = :id OR process_id = :id) AND stopped_at IS NULL
    RETURNING id
    """,
    id=Uuid(),
)
_STOP_OTHER_BOOTS = statement(
    """
    UPDATE workers SET stopped_at = clock_timestamp()
    WHERE host = :host AND boot_id <> :boot_id AND stopped_at IS NULL
    RETURNING id
    """
)


class WorkerRepository:
    """Who is working, and who may hold jobs."""

    async def register(self, db: Executor, incarnation: Incarnation, lease: timedelta) -> None:
        """Add a worker with a fresh lease; doing so again, after a lost answer, is harmless.

        Earlier boots of the same host are known to be dead and end.
        """
        await execute(db, _STOP_OTHER_BOOTS, {"host": incarnation.host, "boot_id": incarnation.boot_id})
        values = {
            "id": incarnation.id,
            "process_id": incarnation.process_id or incarnation.id,
            "host": incarnation.host,
            "boot_id": incarnation.boot_id,
            "pid": incarnation.pid,
            "queues": list(incarnation.queues),
            "concurrency": incarnation.concurrency,
            "lease": lease,
        }
        await execute(db, _REGISTER, values)

    async def heartbeat(self, db: Executor, worker_id: UUID, lease: timedelta) -> Heartbeat:
        """Renew a lease. A lease that ran out but was not taken over yet is renewed too: the row lock decides."""
        row = (await execute(db, _HEARTBEAT, {"id": worker_id, "lease": lease})).one_or_none()
        if row is None:
            return Heartbeat(is_alive=False, is_draining=True, concurrency=0, cancelling=frozenset())
        cancelling = frozenset(row.cancelling)
        return Heartbeat(True, row.is_draining, row.concurrency, cancelling, row.database_up, row.hands_back)

    async def release(self, db: Executor, worker_id: UUID) -> bool:
        """End an incarnation whose process is known to be gone, and later ones of the same process.

        The reaper takes their jobs at its next tick.
        """
        return (await execute(db, _STOP, {"id": worker_id})).first() is not None

    async def steer(
        self,
        db: Executor,
        worker_id: UUID,
        *,
        is_draining: bool | None = None,
        hands_back: bool | None = None,
        concurrency: int | None = None,
    ) -> bool:
        """Pause or resume a worker's claims, let it hand back what it runs, or change how many jobs it runs.

        It obeys at its next heartbeat.
        """
        values = {"id": worker_id, "is_draining": is_draining, "hands_back": hands_back, "concurrency": concurrency}
        return (await execute(db, _STEER, values)).first() is not None

    async def list_active(self, db: Executor) -> list[Worker]:
        """The incarnations that have not ended, oldest first."""
        query = select(Worker).where(Worker.stopped_at.is_(None)).order_by(Worker.started_at)
        return list((await db.execute(query)).scalars())
