"""How long a single job takes when nothing else is going on."""

import asyncio
import random

from tests.benchmark.cases.base import Case, Figure, Figures, percentile, worker_of
from tests.benchmark.peers.base import Peer
from tests.benchmark.work import now


class Latency(Case):
    """From the call of submit to the first line of the handler, and to the result in the submitter's hands."""

    name = "latency"
    title = "One job at a time on an idle worker"
    figures = (
        Figure("start p50", "ms", is_main=True),
        Figure("start p99", "ms"),
        Figure("result p50", "ms"),
        Figure("result p99", "ms"),
    )

    async def run(self, peer: Peer) -> Figures:
        count = self.scaled(40 if peer.slow else 200)
        await peer.expect_results()
        async with worker_of(peer):
            for _ in range(5):
                await peer.result(await peer.submit("stamp"))
            starts, results = [], []
            for _ in range(count):
                # Off the beat of any poll, so that polling engines show their mean.
                await asyncio.sleep(random.uniform(0.01, 0.04))
                submitted = now()
                started = await peer.result(await peer.submit("stamp"))
                results.append((now() - submitted) * 1e3)
                starts.append((float(started) - submitted) * 1e3)
        return {
            "start p50": percentile(starts, 0.5),
            "start p99": percentile(starts, 0.99),
            "result p50": percentile(results, 0.5),
            "result p99": percentile(results, 0.99),
        }
