"""What job, fence, rows and events of an agent's run cost: runs a second beside the same graph on bare LangGraph."""

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from common.config import CommonSettings
from common.container import CommonContainer
from common.ids import new_id
from common.jobs.agent_run import AgentRunPayload, agent_run
from common.repository.job import Owner
from common.repository.thread import ThreadRepository
from common.repository.user import SERVICE_USER
from tests.benchmark.cases.base import Case, Figure, Figures, until
from tests.benchmark.peers.base import Peer
from tests.benchmark.process import WorkerProcess
from tests.benchmark.servers import Servers

_AT_ONCE = 20
_DONE = "SELECT count(*) FROM jobs WHERE kind = 'agent.run' AND status = 'succeeded'"
# The first ones wait for langgraph to be imported.
_RATE = """
    SELECT count(*) / extract(epoch FROM max(finished_at) - min(finished_at))
    FROM (SELECT finished_at FROM jobs WHERE kind = 'agent.run' ORDER BY finished_at OFFSET $1) AS later
"""


class AgentRate(Case):
    """Each run is one streamed answer in a thread of its own, 20 at a time, checkpoints in SQLite, one process."""

    name = "agent"
    title = "Runs of an agent"
    figures = (
        Figure("Letuin", "runs/s", is_main=True, more_is_better=True),
        Figure("bare LangGraph", "runs/s"),
        Figure("more a run", "ms"),
    )
    engines = ("letuin",)
    most_runs = 3

    async def run(self, peer: Peer) -> Figures:
        count = self.scaled(400, 60)
        async with _provider() as url:
            bare = await _bare_rate(url, count, peer.servers)
            ours = await _letuin_rate(url, count, peer.servers)
        return {"Letuin": ours, "bare LangGraph": bare, "more a run": 1000 / ours - 1000 / bare}


@asynccontextmanager
async def _provider() -> AsyncIterator[str]:
    command = [sys.executable, "-m", "tests.fixtures.provider"]
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.stdin.close()
        await process.wait()


async def _bare_rate(url: str, count: int, servers: Servers) -> float:
    file = servers.folder / f"bare-{new_id()}.db"
    command = [sys.executable, "-m", "tests.benchmark.bare_agent", url, str(count), str(_AT_ONCE), str(file)]
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE)
    printed, _ = await process.communicate()
    return float(printed)


async def _letuin_rate(url: str, count: int, servers: Servers) -> float:
    settings = CommonSettings.model_validate(
        {"environment": "staging", "database_url": servers.database_url, "redis_url": servers.redis_url}
    )
    container = CommonContainer(settings=settings)
    owner = Owner(new_id(), SERVICE_USER.id)
    database = await asyncpg.connect(servers.database_url)
    try:
        for _ in range(count + _AT_ONCE):
            async with container.sessions().begin() as db:
                thread = await ThreadRepository().create(db, owner, {"id": new_id(), "flow": "example"})
            payload = AgentRunPayload(input="hello", thread_id=thread.id)
            await container.queue().submit(agent_run, payload, owner=owner)
        data = servers.folder / f"agent-{new_id()}"
        models = {"OPENAI_BASE_URL": url, "DEFAULT_MODEL": "m", "AGENT_JUDGE": "score", "DATA_DIR": str(data)}
        command = [sys.executable, "-m", "worker.main", "--queues", "agent", "--concurrency", str(_AT_ONCE)]
        async with WorkerProcess(command, {**servers.environment(), **models}, servers.folder) as worker:

            async def is_done() -> bool:
                return bool(await database.fetchval(_DONE) == count + _AT_ONCE)

            await until(is_done, worker, every=0.05)
        return float(await database.fetchval(_RATE, _AT_ONCE))
    finally:
        await database.close()
        await container.engine().dispose()
        await container.direct().close()
        await container.redis().aclose()
