"""What a worker costs that has nothing to do."""

import asyncio

from tests.benchmark.cases.base import Case, Figure, Figures, worker_of
from tests.benchmark.peers.base import Peer


class Idle(Case):
    """After one job and a pause, so that start-up and back-off are over."""

    name = "idle"
    title = "An idle worker"
    figures = (
        Figure("Redis commands", "per s", is_main=True),
        Figure("CPU", "%"),
        Figure("memory", "MB"),
    )

    async def run(self, peer: Peer) -> Figures:
        seconds = max(10.0 * self.scale, 3.0)
        await peer.expect_results()
        async with worker_of(peer) as worker:
            await peer.result(await peer.submit("stamp"))
            await asyncio.sleep(3)
            commands, cpu = await peer.servers.redis_commands(), worker.cpu_seconds()
            await asyncio.sleep(seconds)
            cpu = worker.cpu_seconds() - cpu
            commands = await peer.servers.redis_commands() - commands
            return {"Redis commands": commands / seconds, "CPU": cpu / seconds * 100, "memory": worker.memory_mb()}
