"""What a case is: one measurement of one engine on clean servers, which gives named figures."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from tests.benchmark.peers.base import Peer
from tests.benchmark.process import WorkerProcess
from tests.benchmark.work import now, read_marks

type Figures = Mapping[str, float]


@dataclass(frozen=True)
class Figure:
    """One column of a case's table."""

    name: str
    unit: str
    is_main: bool = False
    more_is_better: bool = False


class Case(ABC):
    """One measurement. `scale` below 1 makes every count smaller."""

    name: str
    title: str
    figures: tuple[Figure, ...]
    time_limit = 120.0
    most_runs = 100
    engines: tuple[str, ...] = ()
    """The engines that it is for; none named: all."""

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = scale

    @abstractmethod
    async def run(self, peer: Peer) -> Figures:
        """Measure once. The peer is open, the servers are clean."""

    def scaled(self, count: int, floor: int = 20) -> int:
        """`count` at this scale."""
        return max(int(count * self.scale), floor)


def worker_of(peer: Peer, wanted: int = 1000, *, waiting: bool = False) -> WorkerProcess:
    """The worker of a peer, not started yet."""
    concurrency = peer.concurrency(wanted, waiting=waiting)
    environment = peer.environment(concurrency)
    return WorkerProcess(peer.command(concurrency), environment, peer.servers.folder)


async def until(condition: Callable[[], Awaitable[bool]], worker: WorkerProcess, *, every: float = 0.01) -> float:
    """The time when `condition` was first seen. Raises `RuntimeError` when the worker ends before."""
    while not await condition():
        if worker.has_ended:
            raise RuntimeError(f"the worker has ended; its last words:\n{worker.log.read_text()[-2000:]}")
        await asyncio.sleep(every)
    return now()


async def first_start(peer: Peer, worker: WorkerProcess, *, number: int = 1) -> float:
    """When the `number`th worker process began its first job."""

    async def has_begun() -> bool:
        return len(read_marks(peer.servers.marks)) >= number

    await until(has_begun, worker)
    return read_marks(peer.servers.marks)[number - 1]


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which this share of `values` lies."""
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]
