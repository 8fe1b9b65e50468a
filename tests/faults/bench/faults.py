"""The faults: how each strikes, how long it lasts, and how it ends."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from tests.faults.bench.ground import Ground
from tests.faults.fleet import WorkerProcess
from tests.faults.proxy import TcpProxy

type Heal = Callable[[], Coroutine[Any, Any, None]]
type Strike = Callable[[Ground], Awaitable[Heal]]

_RELEASE = """
    UPDATE workers SET stopped_at = clock_timestamp() WHERE (id = $1 OR process_id = $1) AND stopped_at IS NULL
"""
_SILENCE = 2.0
_SLOWNESS = 3.0
_DELAY = 0.05


@dataclass(frozen=True, slots=True)
class Fault:
    """`strike` does it and returns what ends it. `needs_calm`: its recovery rests on a lease that nobody disturbed."""

    name: str
    strike: Strike
    disturbs_leases: bool = False
    needs_calm: bool = False


async def _nothing() -> None:
    """For faults that are over at once."""


async def _kill_worker(ground: Ground) -> tuple[WorkerProcess, Heal]:
    victim = ground.any_worker()
    await victim.kill()

    async def heal() -> None:
        await ground.start_workers(1)

    return victim, heal


async def kill_supervised(ground: Ground) -> Heal:
    """SIGKILL; whoever started the worker sees it and releases its lease, as `letuin worker` does."""
    victim, heal = await _kill_worker(ground)
    async with ground.arena.connect() as db:
        await db.execute(_RELEASE, victim.id)
    return heal


async def kill_unseen(ground: Ground) -> Heal:
    """SIGKILL, and nobody reports it: the lease has to run out."""
    return (await _kill_worker(ground))[1]


async def freeze_worker(ground: Ground) -> Heal:
    """SIGSTOP for longer than the lease, then SIGCONT."""
    victim = ground.any_worker()
    victim.signal(signal.SIGSTOP)

    async def heal() -> None:
        await asyncio.sleep(ground.lease * 1.4)
        victim.signal(signal.SIGCONT)

    return heal


async def empty_redis(ground: Ground) -> Heal:
    """FLUSHALL."""
    await ground.arena.container.redis().flushall()
    return _nothing


async def kill_redis(ground: Ground) -> Heal:
    """SIGKILL of Valkey; its supervisor starts it again."""
    await ground.arena.kill_server("redis")
    return _nothing


async def kill_postgres(ground: Ground) -> Heal:
    """SIGKILL of PostgreSQL; its supervisor starts it again."""
    await ground.arena.kill_server("postgres")
    return _nothing


async def cut_redis(ground: Ground) -> Heal:
    """Every connection to Redis is reset."""
    ground.redis.reset()
    return _nothing


async def cut_postgres(ground: Ground) -> Heal:
    """Every connection to PostgreSQL is reset."""
    ground.postgres.reset()
    return _nothing


async def silence_redis(ground: Ground) -> Heal:
    """Connections to Redis stay open and pass nothing for a while."""
    return _silence(ground.redis)


async def silence_postgres(ground: Ground) -> Heal:
    """Connections to PostgreSQL stay open and pass nothing for a while."""
    return _silence(ground.postgres)


async def slow_network(ground: Ground) -> Heal:
    """Every packet takes longer for a while."""
    proxies = (ground.redis, ground.postgres)
    for proxy in proxies:
        proxy.faults.delay = _DELAY

    async def heal() -> None:
        await asyncio.sleep(_SLOWNESS)
        for proxy in proxies:
            proxy.faults.delay = 0.0

    return heal


def _silence(proxy: TcpProxy) -> Heal:
    proxy.silence()

    async def heal() -> None:
        await asyncio.sleep(_SILENCE)
        proxy.speak()

    return heal


FAULTS = (
    Fault("worker killed, supervised", kill_supervised),
    Fault("worker killed, unseen", kill_unseen, needs_calm=True),
    Fault("worker stopped past its lease", freeze_worker, needs_calm=True),
    Fault("Redis emptied", empty_redis),
    Fault("Redis killed", kill_redis),
    Fault("Redis cut off", cut_redis),
    Fault(f"Redis silent for {_SILENCE:g} s", silence_redis),
    Fault("PostgreSQL killed", kill_postgres, disturbs_leases=True),
    Fault("PostgreSQL cut off", cut_postgres, disturbs_leases=True),
    Fault(f"PostgreSQL silent for {_SILENCE:g} s", silence_postgres, disturbs_leases=True),
    Fault(f"network slow by {_DELAY * 1000:g} ms for {_SLOWNESS:g} s", slow_network),
)
