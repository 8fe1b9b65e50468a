"""SAQ: one blocking read per slot, results pushed."""

import asyncio
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from saq import Job, Queue, Worker

from tests.benchmark.peers.base import CONCURRENCY, Peer, in_parallel
from tests.benchmark.work import mark_start, now


async def noop(ctx: Any) -> None:
    mark_start()


async def stamp(ctx: Any) -> float:
    return now()


async def wait(ctx: Any, seconds: float) -> None:
    mark_start()
    await asyncio.sleep(seconds)


class Saq(Peer):
    """`Job.refresh` waits for the published result."""

    name = "saq"

    def command(self, concurrency: int) -> Sequence[str]:
        return [sys.executable, "-m", "tests.benchmark.peers.saq"]

    async def open(self) -> None:
        self._queue = Queue.from_url(self.servers.redis_url)
        await self._queue.connect()

    async def close(self) -> None:
        await self._queue.disconnect()

    async def submit(self, job: str, *args: float) -> Job:
        arguments = {"seconds": args[0]} if args else {}
        handle = await self._queue.enqueue(job, timeout=60, **arguments)
        assert handle is not None
        return handle

    async def submit_many(self, job: str, count: int, *args: float) -> None:
        await in_parallel(lambda: self.submit(job, *args), count, at_a_time=100)

    async def result(self, handle: Job) -> Any:
        # A result that comes between its look and its subscription is not heard of: look again.
        while not handle.completed:
            with suppress(TimeoutError):
                await handle.refresh(until_complete=1)
        return handle.result

    async def is_drained(self, count: int) -> bool:
        return int(await self._queue.count("incomplete")) == 0


def main() -> None:
    """The worker."""
    queue = Queue.from_url(os.environ["REDIS_URL"])
    worker: Worker[Any] = Worker(queue, [noop, stamp, wait], concurrency=int(os.environ[CONCURRENCY]))
    asyncio.run(worker.start())


if __name__ == "__main__":
    main()
