"""How fast jobs are accepted, one after the other and many at a time. No worker runs."""

from tests.benchmark.cases.base import Case, Figure, Figures
from tests.benchmark.peers.base import Peer
from tests.benchmark.work import now


class SubmitOne(Case):
    """Each submission waits for the one before."""

    name = "submit"
    title = "Submit, one after the other"
    figures = (Figure("rate", "jobs/s", is_main=True, more_is_better=True),)

    async def run(self, peer: Peer) -> Figures:
        count = self.scaled(2_000)
        for _ in range(20):
            await peer.submit("noop")
        started = now()
        for _ in range(count):
            await peer.submit("noop")
        return {"rate": count / (now() - started)}


class SubmitMany(Case):
    """As each engine does it fastest; one producer process."""

    name = "bulk"
    title = "Submit in bulk"
    figures = (Figure("rate", "jobs/s", is_main=True, more_is_better=True),)

    async def run(self, peer: Peer) -> Figures:
        count = self.scaled(10_000)
        await peer.submit_many("noop", 100)
        started = now()
        await peer.submit_many("noop", count)
        return {"rate": count / (now() - started)}
