"""How PostgreSQL runs the hot statements at a million rows: `python -m tests.benchmark.plans`."""

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import asyncpg
import typer
import uvloop
from rich.console import Console
from sqlalchemy import TextClause

from common.database.direct import compiled_text
from common.ids import new_id
from common.repository import attempt, limit, retention, schedule, upkeep
from tests.benchmark.servers import running_servers

_ROWS = 1_000_000
_OUTPUT = Path("docs/performance-plans.md")
_FILL = """
    INSERT INTO jobs (id, tenant_id, owner_id, kind, queue, payload, max_attempts, timeout, priority, run_at, rank_at,
                      expires_at, next_dispatch_at, status, attempt, lease_owner, started_at, finished_at, result)
    SELECT gen_random_uuid(), $2, $2, 'bench.noop', 'default', '{}', 3, '1 minute', 0, due, due,
           CASE WHEN n % 10 = 0 AND state = 'queued' THEN due + interval '1 day' END, now() + interval '1 minute',
           state, CASE WHEN state = 'queued' THEN 0 ELSE 1 END, CASE WHEN state = 'running' THEN $3::uuid END,
           CASE WHEN state <> 'queued' THEN now() END, CASE WHEN state = 'succeeded' THEN now() END,
           CASE WHEN state = 'succeeded' THEN '{}'::jsonb END
    FROM (SELECT n, CASE WHEN n % 10 < 5 THEN 'queued' WHEN n % 1000 = 5 THEN 'running' ELSE 'succeeded' END AS state,
                 now() + CASE WHEN n % 10 = 1 THEN interval '1 day' ELSE (n - $1) * interval '1 millisecond' END AS due
          FROM generate_series(1, $1::int) AS n) AS made
"""
_FILL_SCHEDULES = """
    INSERT INTO schedules (id, tenant_id, owner_id, name, kind, payload, options, cron, anchor, timezone, jitter,
                           overlap, catch_up, catch_up_window, next_slot, due_at)
    SELECT gen_random_uuid(), $2, $2, 's', 'bench.noop', '{}', '{}', '@daily', now(), 'UTC', '0', 'skip', 'fire_once',
           '1 day', now() + interval '1 hour', now() + interval '1 hour'
    FROM generate_series(1, $1::int)
"""
_INTRO = """# Plans of the hot statements

What PostgreSQL does at {rows:,} rows (half of them waiting, a fifth of these delayed by a day; {running:,} running; the
rest ended), beside {schedules:,} schedules that are not due. Only the steps that read rows are shown. Made by
`python -m tests.benchmark.plans`, on a fresh database after `ANALYZE`; times are of the second of two runs, in
milliseconds, the whole batch of {batch} where there is one.

| statement | rows | ms | how rows are found |
|---|---:|---:|---|
"""
_BATCH = 200
_SCHEDULES = 100_000


def main(
    rows: Annotated[int, typer.Option(min=1_000, help="Rows of the table.")] = _ROWS,
    output: Annotated[Path, typer.Option(help="The page to write.")] = _OUTPUT,
) -> None:
    """Fill a table, explain every hot statement, write a page."""
    page = uvloop.run(_explain_all(rows))
    output.write_text(page, encoding="utf-8")
    Console().print(page)


async def _explain_all(rows: int) -> str:
    async with running_servers() as servers:
        db = await asyncpg.connect(servers.database_url)
        try:
            owner, worker = new_id(), await _make_worker(db)
            await db.execute(_FILL, rows, owner, worker)
            await db.execute(_FILL_SCHEDULES, _SCHEDULES, owner)
            await db.execute("VACUUM ANALYZE")
            running = await db.fetchval("SELECT count(*) FROM jobs WHERE status = 'running'")
            lines = [await _explain(db, name, clause, values) for name, clause, values in await _statements(db, worker)]
        finally:
            await db.close()
    return _INTRO.format(rows=rows, running=running, batch=_BATCH, schedules=_SCHEDULES) + "".join(lines)


async def _make_worker(db: asyncpg.Connection) -> UUID:
    worker = new_id()
    await db.execute(
        "INSERT INTO workers (id, host, boot_id, pid, queues, concurrency, lease_expires_at)"
        " VALUES ($1, 'here', 'boot', 1, '{default}', 1000, now() + interval '1 hour')",
        worker,
    )
    return worker


async def _statements(db: asyncpg.Connection, worker: UUID) -> list[tuple[str, TextClause, Mapping[str, Any]]]:
    due = await _ids(db, "status = 'queued' AND run_at <= now()")
    running = await _ids(db, "status = 'running'")
    count = len(running)
    ends = {
        "worker": worker,
        "inline_bytes": 65_536,
        "ids": running,
        "attempts": [1] * count,
        "outcomes": ["succeeded"] * count,
        "statuses": ["succeeded"] * count,
        "results": ["{}"] * count,
        "errors": [None] * count,
        "delays": [timedelta(0)] * count,
        "failed": [0] * count,
        "waiting": [None] * count,
    }
    purge = {"kinds": ["bench.noop"], "retentions": [timedelta(0)], "default": timedelta(days=30), "limit": _BATCH}
    queues = {"queues": ["default"], "limit": _BATCH}
    return [
        ("claim of hinted jobs", attempt._CLAIM_HINTED, {"worker": worker, "ids": due}),
        ("claim without hints", attempt._CLAIM_NEXT, {"worker": worker, **queues}),
        ("waiting jobs with limits", limit._LIMITED_NEXT, queues),
        ("ends of attempts", attempt._FINISH, ends),
        ("look for upkeep", upkeep._LOOK, {}),
        ("look of the leader", upkeep._LOOK_AS_LEADER, {}),
        ("missing hints", upkeep._DUE, {"limit": _BATCH}),
        ("jobs of dead workers", upkeep._REAP, {"limit": _BATCH, "max_crashes": 3}),
        ("expiry", upkeep._EXPIRE, {"limit": _BATCH}),
        ("purge", retention._PURGE_JOBS, purge),
        ("look of every tick of the scheduler", schedule._LOOK, {}),
        ("schedules that are due", schedule._DUE, {"limit": _BATCH}),
    ]


async def _ids(db: asyncpg.Connection, where: str) -> list[UUID]:
    return [row["id"] for row in await db.fetch(f"SELECT id FROM jobs WHERE {where} LIMIT {_BATCH}")]


async def _explain(db: asyncpg.Connection, name: str, clause: TextClause, values: Mapping[str, Any]) -> str:
    sql, names = compiled_text(clause)
    for _ in range(2):
        transaction = db.transaction()
        await transaction.start()
        plan = await db.fetch(f"EXPLAIN (ANALYZE, COSTS OFF, BUFFERS OFF) {sql}", *(values[each] for each in names))
        await transaction.rollback()
    text = [row[0] for row in plan]
    milliseconds = next(float(line.split()[2]) for line in text if line.startswith("Execution Time"))
    result = re.search(r"rows=(\d+)", text[0])
    # One line for each way, in the order of the plan.
    scans = dict.fromkeys(found[0] for line in text if "never executed" not in line and (found := _SCAN.search(line)))
    return f"| {name} | {result[1] if result else ''} | {milliseconds:.1f} | {', '.join(scans)} |\n"


_SCAN = re.compile(r"(Seq|Index|Index Only|Bitmap Index|Bitmap Heap) Scan(?: Backward)?(?: using \w+)? on \w+")


if __name__ == "__main__":
    typer.run(main)
