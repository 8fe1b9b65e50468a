"""How soon an emptied Redis holds a hint of every waiting job again."""

from tests.benchmark.cases.base import Case, Figure, Figures, first_start, until, worker_of
from tests.benchmark.peers.base import Peer
from tests.benchmark.work import now


class Refill(Case):
    """FLUSHALL while jobs wait and the only slot is taken, until all hints are back."""

    name = "refill"
    title = "FLUSHALL with 10,000 waiting jobs: when Redis holds them again"
    figures = (Figure("time", "s", is_main=True),)
    engines = ("letuin",)
    most_runs = 3

    async def run(self, peer: Peer) -> Figures:
        count = self.scaled(10_000)
        await peer.submit("wait", 100.0)
        async with worker_of(peer, 1) as worker:
            await first_start(peer, worker)
            await peer.submit_many("noop", count)
            await peer.servers.empty_redis()
            emptied = now()

            async def is_full() -> bool:
                return await peer.servers.waiting_hints() >= count

            full = await until(is_full, worker)
            worker.kill()
        return {"time": full - emptied}
