"""How many jobs one worker keeps waiting at once."""

from tests.benchmark.cases.base import Case, Figure, Figures, first_start, until, worker_of
from tests.benchmark.peers.base import Peer


class Waiting(Case):
    """From the first start to the last stored result; ideal is the second that each job waits."""

    name = "waiting"
    title = "1,000 jobs of one second of waiting, one worker"
    figures = (Figure("time", "s", is_main=True), Figure("memory", "MB"))

    async def run(self, peer: Peer) -> Figures:
        count = self.scaled(1_000)
        await peer.submit_many("wait", count, 1.0)
        async with worker_of(peer, count, waiting=True) as worker:
            started = await first_start(peer, worker)
            ended = await until(lambda: peer.is_drained(count), worker)
            return {"time": ended - started, "memory": worker.memory_mb()}
