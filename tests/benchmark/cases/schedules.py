"""Ten thousand schedules that are due at the same moment, and a hundred thousand that are not."""

import sys
from datetime import UTC, datetime, timedelta

import asyncpg

from common.ids import new_id
from common.repository.schedule import due_sql
from tests.benchmark.cases.base import Case, Figure, Figures, until
from tests.benchmark.peers.base import Peer
from tests.benchmark.process import WorkerProcess
from tests.benchmark.work import now

_INSERT = """
    INSERT INTO schedules (id, tenant_id, owner_id, name, kind, payload, options, cron, anchor, timezone, jitter,
                           overlap, catch_up, catch_up_window, next_slot, due_at)
    SELECT gen_random_uuid(), $1, $2, 's', 'bench.noop', '{}', '{}', '* * * * *', now(), 'Asia/Seoul', '0', 'skip',
           'fire_once', '1 day', $3, $4 FROM generate_series(1, $5)
"""
_TICKS = 200


class Schedules(Case):
    """One leader that runs no jobs meanwhile. `due`: from the moment that they share to the last job's row."""

    name = "schedules"
    title = "Schedules"
    figures = (
        Figure("10,000 due", "s", is_main=True),
        Figure("look, none there", "ms"),
        Figure("look, 100,000 idle", "ms"),
    )
    engines = ("letuin",)

    async def run(self, peer: Peer) -> Figures:
        database = await asyncpg.connect(peer.servers.database_url)
        try:
            await database.execute("TRUNCATE schedules, queues CASCADE")
            await database.execute("INSERT INTO queues (name, is_paused) VALUES ('default', true)")
            due = await self._fire(peer, database, self.scaled(10_000, 500))
            await database.execute("TRUNCATE schedules CASCADE")
            empty = await _look(database)
            await _insert(database, self.scaled(100_000, 1_000), datetime.now(UTC) + timedelta(days=1))
            await database.execute("ANALYZE schedules")
            idle = await _look(database)
        finally:
            await database.execute("TRUNCATE schedules, queues CASCADE")
            await database.close()
        return {"10,000 due": due, "look, none there": empty, "look, 100,000 idle": idle}

    async def _fire(self, peer: Peer, database: "asyncpg.Connection[asyncpg.Record]", count: int) -> float:
        command = [sys.executable, "-m", "tests.benchmark.letuin_worker", "--queues", "default"]
        async with WorkerProcess(command, peer.servers.environment(), peer.servers.folder) as worker:
            due_at = datetime.now(UTC) + timedelta(seconds=8)
            await _insert(database, count, due_at)

            async def are_fired() -> bool:
                return bool(await database.fetchval("SELECT count(*) FROM firings") == count)

            await until(are_fired, worker, every=0.2)
        return float(await database.fetchval("SELECT extract(epoch FROM max(fired_at) - $1) FROM firings", due_at))


async def _insert(database: "asyncpg.Connection[asyncpg.Record]", count: int, due_at: datetime) -> None:
    slot = datetime.now(UTC).replace(second=0, microsecond=0)
    await database.execute(_INSERT, new_id(), new_id(), slot, due_at, count)


async def _look(database: "asyncpg.Connection[asyncpg.Record]") -> float:
    """The mean of what a tick costs that finds nothing due."""
    statement = await database.prepare(due_sql("$1"))
    await statement.fetch(500)
    started = now()
    for _ in range(_TICKS):
        await statement.fetch(500)
    return (now() - started) / _TICKS * 1e3
