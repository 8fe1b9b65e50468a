"""arq: with every default, and tuned (short polls, many jobs at a time)."""

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from arq import create_pool, run_worker
from arq.connections import RedisSettings
from arq.constants import default_queue_name
from arq.jobs import Job

from tests.benchmark.peers.base import CONCURRENCY, Peer, in_parallel
from tests.benchmark.work import mark_start, now

_POLL = "LETUIN_BENCH_POLL"
_DEFAULT_JOBS = 10


async def noop(ctx: dict[Any, Any]) -> None:
    mark_start()


async def stamp(ctx: dict[Any, Any]) -> float:
    return now()


async def wait(ctx: dict[Any, Any], seconds: float) -> None:
    mark_start()
    await asyncio.sleep(seconds)


class Arq(Peer):
    """Every default: one look at the queue each 0.5 s, 10 jobs at a time unless a case asks for as many as it has."""

    name = "arq"
    slow = True
    poll_delay = 0.5

    def command(self, concurrency: int) -> Sequence[str]:
        return [sys.executable, "-m", "tests.benchmark.peers.arq"]

    def environment(self, concurrency: int) -> Mapping[str, str]:
        return {**super().environment(concurrency), _POLL: str(self.poll_delay)}

    def concurrency(self, wanted: int, *, waiting: bool) -> int:
        return wanted if waiting else _DEFAULT_JOBS

    async def open(self) -> None:
        self._redis = await create_pool(RedisSettings.from_dsn(self.servers.redis_url))

    async def close(self) -> None:
        await self._redis.aclose()

    async def submit(self, job: str, *args: float) -> Job:
        handle = await self._redis.enqueue_job(job, *args)
        assert handle is not None
        return handle

    async def submit_many(self, job: str, count: int, *args: float) -> None:
        await in_parallel(lambda: self.submit(job, *args), count, at_a_time=100)

    async def result(self, handle: Job) -> Any:
        return await handle.result(timeout=30, poll_delay=self.poll_delay)

    async def is_drained(self, count: int) -> bool:
        return int(await self._redis.zcard(default_queue_name)) == 0


class TunedArq(Arq):
    """A look each 10 ms, a thousand jobs at a time."""

    name = "arq-tuned"
    slow = False
    poll_delay = 0.01

    def concurrency(self, wanted: int, *, waiting: bool) -> int:
        return wanted


def main() -> None:
    """The worker."""

    class Settings:
        functions = (noop, stamp, wait)
        redis_settings = RedisSettings.from_dsn(os.environ["REDIS_URL"])
        poll_delay = float(os.environ[_POLL])
        max_jobs = int(os.environ[CONCURRENCY])

    run_worker(Settings)  # type: ignore[arg-type]  # arq takes any class with these names


if __name__ == "__main__":
    main()
