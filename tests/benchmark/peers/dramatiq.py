"""dramatiq: threads, and by default a process per core."""

import os
import sys
import time
from collections.abc import Sequence
from typing import Any

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend
from redis import Redis

from tests.benchmark.peers.base import Peer
from tests.benchmark.work import mark_start, now

_THREADS = 8


def noop() -> None:
    mark_start()


def stamp() -> float:
    return now()


def wait(seconds: float) -> None:
    mark_start()
    time.sleep(seconds)


def make_broker(url: str | None = None) -> dict[str, Any]:
    """Make the broker the one in use, and its actors by name; the worker's set-up."""
    address = url or os.environ["REDIS_URL"]
    broker = RedisBroker(url=address)
    broker.add_middleware(Results(backend=RedisBackend(url=address)))
    dramatiq.set_broker(broker)
    functions = (noop, stamp, wait)
    return {f.__name__: dramatiq.actor(f, store_results=True, max_retries=3, broker=broker) for f in functions}


class Dramatiq(Peer):
    """One process with its default of eight threads, or as many as jobs wait."""

    name = "dramatiq"
    processes = 1

    def command(self, concurrency: int) -> Sequence[str]:
        sizes = ["--processes", str(self.processes), "--threads", str(concurrency)]
        return [sys.executable, "-m", "dramatiq", "tests.benchmark.peers.dramatiq:make_broker", *sizes]

    def concurrency(self, wanted: int, *, waiting: bool) -> int:
        return wanted // self.processes if waiting else _THREADS

    async def open(self) -> None:
        self._actors = make_broker(self.servers.redis_url)
        self._redis = Redis.from_url(self.servers.redis_url)

    async def close(self) -> None:
        self._redis.close()

    async def submit(self, job: str, *args: float) -> Any:
        return self._actors[job].send(*args)

    async def submit_many(self, job: str, count: int, *args: float) -> None:
        for _ in range(count):
            self._actors[job].send(*args)

    async def result(self, handle: Any) -> Any:
        return handle.get_result(block=True, timeout=30_000)

    async def is_drained(self, count: int) -> bool:
        return int(self._redis.hlen("dramatiq:default.msgs")) == 0  # type: ignore[arg-type]  # not awaitable here


class DramatiqTwo(Dramatiq):
    """Two processes: what it starts by itself on two cores."""

    name = "dramatiq-2p"
    processes = 2
