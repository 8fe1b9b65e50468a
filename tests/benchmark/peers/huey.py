"""huey: blocking reads in threads, results pushed; a job that was taken and not finished is lost."""

import os
import sys
import time
from collections.abc import Sequence
from typing import Any

from huey import RedisHuey

from tests.benchmark.peers.base import CONCURRENCY, Peer
from tests.benchmark.work import mark_start, now

_NAME, _THREADS = "bench", 4


def noop() -> bool:
    mark_start()
    return True  # None would not be stored


def stamp() -> float:
    return now()


def wait(seconds: float) -> bool:
    mark_start()
    time.sleep(seconds)
    return True


def make_huey(url: str) -> tuple[RedisHuey, dict[str, Any]]:
    """The queue, and its tasks by name."""
    queue = RedisHuey(_NAME, url=url, notify_result=True)
    return queue, {function.__name__: queue.task(name=function.__name__)(function) for function in (noop, stamp, wait)}


class Huey(Peer):
    """One process with four threads, or as many as jobs wait."""

    name = "huey"

    def command(self, concurrency: int) -> Sequence[str]:
        # Not with -m: a task is known by its module, which must be the same here and there.
        return [sys.executable, "-c", "from tests.benchmark.peers.huey import main; main()"]

    def concurrency(self, wanted: int, *, waiting: bool) -> int:
        return wanted if waiting else _THREADS

    async def open(self) -> None:
        self._huey, self._tasks = make_huey(self.servers.redis_url)

    async def submit(self, job: str, *args: float) -> Any:
        return self._tasks[job](*args)

    async def submit_many(self, job: str, count: int, *args: float) -> None:
        for _ in range(count):
            self._tasks[job](*args)

    async def result(self, handle: Any) -> Any:
        return handle.get(blocking=True, timeout=30)

    async def is_drained(self, count: int) -> bool:
        return bool(self._huey.result_count() >= count)


def main() -> None:
    """The worker."""
    queue, _ = make_huey(os.environ["REDIS_URL"])
    queue.create_consumer(workers=int(os.environ[CONCURRENCY]), worker_type="thread").run()
