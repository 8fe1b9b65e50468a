"""Whether a job costs the same in a long queue as in a short one."""

from typing import ClassVar

from tests.benchmark.cases.base import Case, Figure, Figures, first_start, until, worker_of
from tests.benchmark.peers.base import Peer

_SAMPLE = 1_000
_AT_ONCE = 50_000


class Growth(Case):
    """The time of one job among the first of a queue, while the rest of it waits."""

    name = "growth"
    title = "Time of one job by length of the queue"
    figures = (
        Figure("1k", "µs/job"),
        Figure("10k", "µs/job"),
        Figure("100k", "µs/job", is_main=True),
        Figure("1M", "µs/job"),
    )
    engines = ("letuin",)
    most_runs = 3
    time_limit = 1_800.0
    lengths: ClassVar = {"1k": 1_000, "10k": 10_000, "100k": 100_000}

    async def run(self, peer: Peer) -> Figures:
        return {
            label: await self._measure(peer, self.scaled(length, _SAMPLE)) for label, length in self.lengths.items()
        }

    async def _measure(self, peer: Peer, length: int) -> float:
        await peer.servers.clean()
        await peer.close()
        await peer.open()
        for start in range(0, length, _AT_ONCE):
            await peer.fill("noop", min(_AT_ONCE, length - start))
        async with worker_of(peer) as worker:
            started = await first_start(peer, worker)

            counts: list[int] = []

            async def has_sample() -> bool:
                counts.append(await peer.finished())
                return counts[-1] >= _SAMPLE

            ended = await until(has_sample, worker)
            worker.kill()
        return (ended - started) / counts[-1] * 1e6


class GrowthToMillion(Growth):
    """With the million, which takes minutes to fill."""

    lengths: ClassVar = {**Growth.lengths, "1M": 1_000_000}
