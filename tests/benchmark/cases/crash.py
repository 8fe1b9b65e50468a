"""What becomes of a job whose worker is killed."""

import asyncio
from math import inf

from tests.benchmark.cases.base import Case, Figure, Figures, first_start, until, worker_of
from tests.benchmark.peers.base import Peer
from tests.benchmark.process import WorkerProcess
from tests.benchmark.work import now


class Crash(Case):
    """SIGKILL one second into a job of five, a fresh worker at once; the time until the job runs again, or infinity."""

    name = "crash"
    title = "SIGKILL of the worker: when the job runs again"
    figures = (Figure("runs again", "s", is_main=True),)
    most_runs = 1
    limit = 25.0

    async def run(self, peer: Peer) -> Figures:
        await peer.submit("wait", 5.0)
        async with worker_of(peer) as first:
            await first_start(peer, first)
            await asyncio.sleep(1)
            first.kill()
        killed = now()
        async with worker_of(peer) as second:
            try:
                async with asyncio.timeout(self.limit):
                    again = await first_start(peer, second, number=2)
            except TimeoutError:
                return {"runs again": inf}
        return {"runs again": again - killed}


class SupervisedCrash(Case):
    """SIGKILL of the worker under `letuin worker`, which starts another; until the job runs again."""

    name = "crash-supervised"
    title = "SIGKILL of a worker under its supervisor: when the job runs again"
    figures = (Figure("runs again", "s", is_main=True),)
    engines = ("letuin",)
    most_runs = 3

    async def run(self, peer: Peer) -> Figures:
        await peer.sleep(60.0)
        command = peer.supervised()
        async with WorkerProcess(command, peer.environment(20), peer.servers.folder) as supervisor:
            await until(lambda: _runs(peer), supervisor)
            await asyncio.sleep(1)
            supervisor.kill_child("worker.main")
            killed = now()

            async def is_back() -> bool:
                return await peer.attempts() == 2

            again = await until(is_back, supervisor)
        return {"runs again": again - killed}


async def _runs(peer: Peer) -> bool:
    return await peer.running() == 1
