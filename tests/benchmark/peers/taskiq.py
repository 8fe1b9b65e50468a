"""taskiq with taskiq-redis: a list (a job may be lost) and a stream (it comes back)."""

import asyncio
import os
import sys
from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis
from taskiq import AsyncBroker, AsyncTaskiqTask
from taskiq.kicker import AsyncKicker
from taskiq_redis import ListQueueBroker, RedisAsyncResultBackend, RedisStreamBroker

from tests.benchmark.peers.base import Peer, in_parallel
from tests.benchmark.work import mark_start, now


async def noop() -> None:
    mark_start()


async def stamp() -> float:
    return now()


async def wait(seconds: float) -> None:
    mark_start()
    await asyncio.sleep(seconds)


def make_list_broker(url: str | None = None) -> AsyncBroker:
    """The broker on a list, with its tasks; the worker's factory."""
    return _with_tasks(ListQueueBroker(url or os.environ["REDIS_URL"]), url)


def make_stream_broker(url: str | None = None) -> AsyncBroker:
    """The broker on a stream, with its tasks; the worker's factory."""
    return _with_tasks(RedisStreamBroker(url or os.environ["REDIS_URL"]), url)


def _with_tasks(broker: AsyncBroker, url: str | None) -> AsyncBroker:
    results: RedisAsyncResultBackend[Any] = RedisAsyncResultBackend(url or os.environ["REDIS_URL"], result_ex_time=3600)
    broker = broker.with_result_backend(results)
    for function in (noop, stamp, wait):
        broker.register_task(function, function.__name__)
    return broker


class TaskiqList(Peer):
    """Results are polled each 5 ms (its default is 200 ms)."""

    name = "taskiq-list"
    make = staticmethod(make_list_broker)

    def command(self, concurrency: int) -> Sequence[str]:
        factory = f"tests.benchmark.peers.taskiq:{self.make.__name__}"
        limits = ["--workers", "1", "--max-async-tasks", str(concurrency), "--max-prefetch", "100"]
        return [sys.executable, "-m", "taskiq", "worker", factory, *limits]

    async def open(self) -> None:
        self._broker = self.make(self.servers.redis_url)
        await self._broker.startup()
        self._redis = Redis.from_url(self.servers.redis_url)

    async def close(self) -> None:
        await self._broker.shutdown()
        await self._redis.aclose()

    async def submit(self, job: str, *args: float) -> AsyncTaskiqTask[Any]:
        return await AsyncKicker(job, self._broker, {}).kiq(*args)

    async def submit_many(self, job: str, count: int, *args: float) -> None:
        await in_parallel(lambda: self.submit(job, *args), count, at_a_time=50)

    async def result(self, handle: AsyncTaskiqTask[Any]) -> Any:
        return (await handle.wait_result(check_interval=0.005, timeout=30)).return_value

    async def is_drained(self, count: int) -> bool:
        # One key per result; the list itself is gone when it is empty.
        return int(await self._redis.dbsize()) >= count


class TaskiqStream(TaskiqList):
    """The same on a stream with a consumer group."""

    name = "taskiq-stream"
    make = staticmethod(make_stream_broker)
