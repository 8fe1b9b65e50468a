"""What the cases ask of an engine. Each engine is one small file beside this one."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from tests.benchmark.servers import Servers

CONCURRENCY = "LETUIN_BENCH_CONCURRENCY"


class Peer(ABC):
    """One engine at given settings: its producer in this process, and the command of its worker.

    The jobs are called `noop`, `stamp` (returns `now()`) and `wait` (takes seconds).
    """

    name: str
    slow = False
    """Its speed is set by timers: fewer jobs tell it just as well."""

    def __init__(self, servers: Servers) -> None:
        self.servers = servers

    @abstractmethod
    def command(self, concurrency: int) -> Sequence[str]:
        """The worker's command line. The servers' environment comes with it."""

    def environment(self, concurrency: int) -> Mapping[str, str]:
        """The worker's whole environment."""
        return {**self.servers.environment(), CONCURRENCY: str(concurrency)}

    def concurrency(self, wanted: int, *, waiting: bool) -> int:
        """Jobs at a time: the best setting of this engine; `waiting` jobs need no CPU, so as many as `wanted`."""
        return wanted

    @abstractmethod
    async def open(self) -> None:
        """Connect the producer."""

    async def expect_results(self) -> None:
        """Get ready for `result`; called before the first job whose result is wanted."""
        return

    async def close(self) -> None:
        """Give back what `open` took."""
        return

    @abstractmethod
    async def submit(self, job: str, *args: float) -> Any:
        """Submit one job; what comes back leads to its result."""

    @abstractmethod
    async def submit_many(self, job: str, count: int, *args: float) -> None:
        """Submit many jobs the way this engine does it fastest."""

    @abstractmethod
    async def result(self, handle: Any) -> Any:
        """Wait for one result the way this engine does it fastest."""

    @abstractmethod
    async def is_drained(self, count: int) -> bool:
        """Whether all of `count` jobs have ended and their results are stored. Asked often: must be cheap."""

    async def finished(self) -> int:
        """How many jobs have ended. Only engines that a case names are asked this and what follows."""
        raise NotImplementedError

    async def running(self) -> int:
        """How many jobs run."""
        raise NotImplementedError

    async def workers(self) -> int:
        """How many worker processes are there."""
        raise NotImplementedError

    async def fill(self, job: str, count: int) -> None:
        """Make many jobs appear at one moment."""
        raise NotImplementedError

    async def sleep(self, seconds: float) -> None:
        """Submit a job that every catalogue knows and that takes so long."""
        raise NotImplementedError

    async def attempts(self) -> int:
        """The highest attempt number of all running jobs."""
        raise NotImplementedError

    def supervised(self) -> Sequence[str]:
        """The command of a worker under its supervisor."""
        raise NotImplementedError


async def in_parallel(submit: Callable[[], Awaitable[Any]], count: int, *, at_a_time: int) -> None:
    """Call `submit` `count` times with so many calls under way."""
    left = iter(range(count))

    async def produce() -> None:
        for _ in left:
            await submit()

    await asyncio.gather(*(produce() for _ in range(min(count, at_a_time))))
