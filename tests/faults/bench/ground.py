"""What is struck: own servers behind proxies, workers, and a producer that sees the same weather as they do."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from common.config import CommonSettings
from common.container import CommonContainer
from tests.faults.arena import Arena
from tests.faults.arena import arena as open_arena
from tests.faults.fleet import WorkerProcess
from tests.faults.proxy import TcpProxy


@dataclass
class Ground:
    """`arena` reaches the servers themselves; workers and the producer go through the proxies."""

    arena: Arena
    producer: CommonContainer
    postgres: TcpProxy
    redis: TcpProxy
    lease: float
    chance: random.Random

    async def start_workers(self, count: int) -> list[WorkerProcess]:
        """More workers, with the lease under test."""
        return await self.arena.fleet.start(
            count, LEASE_DURATION=str(self.lease), HEARTBEAT_INTERVAL=str(self.lease * 0.3), WORKER_DRAIN_GRACE="25"
        )

    def any_worker(self) -> WorkerProcess:
        """One that runs, by chance."""
        return self.chance.choice([worker for worker in self.arena.fleet.workers if worker.is_alive])

    @property
    def refused_writes(self) -> int:
        """How many ends of outdated attempts the workers say were refused."""
        return sum("its end was refused" in line for worker in self.arena.fleet.workers for line in worker.lines)


@asynccontextmanager
async def ground(folder: Path, *, lease: float, workers: int, seed: int) -> AsyncIterator[Ground]:
    """Servers on the files in `folder` and workers that are ready; everything is gone afterwards."""
    async with open_arena(folder) as arena:
        urls = arena.environment
        postgres_head, _, postgres_port = urls["DATABASE_URL"].rpartition("/")[0].rpartition(":")
        redis_port = urls["REDIS_URL"].rpartition(":")[2].partition("/")[0]
        async with TcpProxy(int(postgres_port)) as postgres, TcpProxy(int(redis_port)) as redis:
            through = {
                "DATABASE_URL": f"{postgres_head}:{postgres.port}/letuin",
                "REDIS_URL": f"redis://127.0.0.1:{redis.port}/0",
            }
            arena.fleet.environment |= through
            values = {"environment": "test", **{name.lower(): url for name, url in through.items()}}
            producer = CommonContainer(settings=CommonSettings.model_validate(values))
            opened = Ground(arena, producer, postgres, redis, lease, random.Random(seed))
            await opened.start_workers(workers)
            yield opened
            await close(producer)


async def close(container: CommonContainer) -> None:
    """Give back what a producer opened."""
    await container.redis().aclose()
    await container.listener_redis().aclose()
    await container.engine().dispose()
