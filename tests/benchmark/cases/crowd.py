"""How several workers share one queue, and what one worker needs for very many jobs."""

import asyncio
from contextlib import AsyncExitStack

from tests.benchmark.cases.base import Case, Figure, Figures, first_start, until, worker_of
from tests.benchmark.peers.base import Peer


class Crowd(Case):
    """All workers are there first; then the rows of a whole queue are committed at once and hinted at."""

    name = "crowd"
    title = "One queue, several worker processes"
    figures = (
        Figure("1 worker", "jobs/s", more_is_better=True),
        Figure("2 workers", "jobs/s", is_main=True, more_is_better=True),
        Figure("20 workers", "jobs/s", more_is_better=True),
    )
    engines = ("letuin",)
    most_runs = 3
    time_limit = 400.0
    processes = (1, 2, 20)

    async def run(self, peer: Peer) -> Figures:
        names = (figure.name for figure in self.figures)
        return {name: await self._measure(peer, count) for name, count in zip(names, self.processes, strict=True)}

    async def _measure(self, peer: Peer, processes: int) -> float:
        count = self.scaled(20_000, floor=2_000)
        await peer.servers.clean()
        await peer.close()
        await peer.open()
        async with AsyncExitStack() as stack:
            workers = [
                await stack.enter_async_context(worker_of(peer, 1_000 if processes < 3 else 50))
                for _ in range(processes)
            ]

            async def are_there() -> bool:
                return await peer.workers() == processes

            await until(are_there, workers[0])
            await asyncio.sleep(2)
            await peer.fill("noop", count)
            started = await first_start(peer, workers[0])
            ended = await until(lambda: peer.is_drained(count), workers[0])
            for worker in workers:
                worker.kill()
        return count / (ended - started)


class Memory(Case):
    """Jobs that wait, all at once in one worker."""

    name = "memory"
    title = "10,000 running jobs in one worker"
    figures = (Figure("memory", "MB", is_main=True), Figure("until all run", "s"))
    engines = ("letuin",)
    most_runs = 1
    time_limit = 300.0

    async def run(self, peer: Peer) -> Figures:
        count = self.scaled(10_000)
        await peer.submit_many("wait", count, 40.0)
        async with worker_of(peer, count, waiting=True) as worker:
            started = await first_start(peer, worker)

            async def do_all_run() -> bool:
                return await peer.running() == count

            running = await until(do_all_run, worker)
            await asyncio.sleep(3)
            memory = worker.memory_mb()
            worker.kill()
        return {"memory": memory, "until all run": running - started}
