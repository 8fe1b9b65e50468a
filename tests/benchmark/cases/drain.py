"""How fast one worker empties a full queue of jobs that do nothing."""

from tests.benchmark.cases.base import Case, Figure, Figures, first_start, until, worker_of
from tests.benchmark.peers.base import Peer


class Drain(Case):
    """From the first start of a job to the last stored result; the start of the worker is not counted."""

    name = "drain"
    title = "Drain a full queue of no-op jobs, one worker process"
    figures = (
        Figure("rate", "jobs/s", is_main=True, more_is_better=True),
        Figure("worker CPU", "µs/job"),
        Figure("Redis commands", "per job"),
    )

    async def run(self, peer: Peer) -> Figures:
        count = self.scaled(1_000 if peer.slow else 10_000, floor=500)
        await peer.submit_many("noop", count)
        commands = await peer.servers.redis_commands()
        async with worker_of(peer) as worker:
            started = await first_start(peer, worker)
            cpu = worker.cpu_seconds()
            ended = await until(lambda: peer.is_drained(count), worker)
            return {
                "rate": count / (ended - started),
                "worker CPU": (worker.cpu_seconds() - cpu) / count * 1e6,
                "Redis commands": (await peer.servers.redis_commands() - commands) / count,
            }
