"""How soon a running job is stopped, with Redis there and away, and what the answer to a cancel says about it."""

import asyncio
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from common.jobs.system_sleep import SystemSleepPayload, system_sleep
from common.queue.client import CancelWay
from tests.faults.arena import Arena, arena
from tests.faults.proxy import TcpProxy

pytestmark = pytest.mark.faults

_TIMES = """
    SELECT percentile_disc(0.99) WITHIN GROUP (ORDER BY finished_at - cancel_requested_at) FROM jobs
    WHERE status = 'cancelled' AND attempt = 1
"""
LONG = SystemSleepPayload(seconds=60)


async def cancel_all(arena: Arena) -> Counter[CancelWay]:
    """Cancel every accepted job, ten at a time; what the answers said."""
    ways: Counter[CancelWay] = Counter()
    jobs = arena.accepted[::-1]  # who waits first, before a place is free
    for start in range(0, len(jobs), 10):
        cancels = [arena.container.queue().cancel(job.id, arena.owner) for job in jobs[start : start + 10]]
        ways.update(cancelled.way for cancelled in await asyncio.gather(*cancels))
    return ways


async def p99(arena: Arena) -> timedelta:
    """From the durable request to the durable end, by the database's clock."""
    async with arena.connect() as db:
        found = await db.fetchval(_TIMES)
    assert isinstance(found, timedelta)
    return found


async def test_with_redis_a_cancel_is_heard_at_once(arena: Arena) -> None:
    """Heartbeats come so rarely that only hints can be the reason."""
    await arena.fleet.start(2, WORKER_CONCURRENCY="50", LEASE_DURATION="60", HEARTBEAT_INTERVAL="20")
    await arena.submit_many(system_sleep, LONG, 100)
    await arena.until("status = 'running'", 100)
    waiting = await arena.submit_many(system_sleep, LONG, 10)
    ways = await cancel_all(arena)
    await arena.until_ended(90)
    assert ways == {CancelWay.HINT: 100, CancelWay.ROW: len(waiting)}
    assert await p99(arena) < timedelta(seconds=10)
    await arena.check()


async def test_without_redis_a_cancel_comes_with_the_next_heartbeat(data_dir: Path) -> None:
    """Window: the cancel's message is lost."""
    async with TcpProxy(1) as proxy, arena(data_dir, redis_url=f"redis://127.0.0.1:{proxy.port}/0") as cut_off:
        proxy.faults.refuses = True
        away = f"redis://127.0.0.1:{proxy.port}/0"
        await cut_off.fleet.start(2, WORKER_CONCURRENCY="20", REDIS_URL=away, HEARTBEAT_INTERVAL="1")
        await cut_off.submit_many(system_sleep, LONG, 40)
        await cut_off.until("status = 'running'", 40)
        ways = await cancel_all(cut_off)
        await cut_off.until_ended(90)
        assert ways == {CancelWay.HEARTBEAT: 40}
        assert await p99(cut_off) < timedelta(seconds=10)
        await cut_off.check(whole_events=False)
