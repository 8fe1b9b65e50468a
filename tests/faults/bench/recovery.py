"""How long a fault was felt: until what it met, and a job that came right after it, have ended."""

import asyncio
from collections.abc import Sequence
from math import inf
from uuid import UUID

import asyncpg

from tests.faults.arena import eventually
from tests.faults.bench.ground import Ground
from tests.faults.bench.stream import Stream

_LIMIT = 120.0
_OPEN = "SELECT id FROM jobs WHERE finished_at IS NULL AND (status = 'running' OR run_at <= clock_timestamp())"
_LEFT = """
    SELECT count(*) FROM jobs
    WHERE id = ANY($1) AND finished_at IS NULL AND (status = 'running' OR run_at <= clock_timestamp())
"""


async def open_jobs(ground: Ground) -> list[UUID]:
    """The jobs that run or could run now."""
    async with ground.arena.connect() as db:
        return [row["id"] for row in await db.fetch(_OPEN)]


async def until_recovered(ground: Ground, stream: Stream, met: Sequence[UUID], struck_at: float) -> float:
    """Seconds from the strike until the jobs that it `met` and a new one are done; infinite when that does not come.

    A job that waits for its next attempt counts as done: its backoff is no recovery.
    """
    ids: list[UUID] = []

    async def is_done() -> bool:
        if not ids:
            if (probe := await stream.submit()) is None:
                return False
            ids.extend([*met, probe.id])
        return not await _count_left(ground, ids)

    try:
        await eventually(is_done, _LIMIT)
    except TimeoutError:
        return inf
    return asyncio.get_running_loop().time() - struck_at


async def _count_left(ground: Ground, ids: Sequence[UUID]) -> int:
    try:
        async with ground.arena.connect() as db:
            return int(await db.fetchval(_LEFT, ids))
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        return 1  # the database is away, so nothing is done yet
