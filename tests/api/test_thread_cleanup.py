"""What agents remember goes with what it belongs to: runs that failed, threads that had their time."""

import asyncio
import sqlite3
from pathlib import Path
from uuid import UUID

import httpx2
from sqlalchemy import text

from common.container import CommonContainer
from common.jobs.agent_clean import AgentCleanPayload, agent_clean
from common.repository.job import Owner
from tests.api.threads import THREADS, Work, create, ended, say
from tests.fixtures.provider import Provider, Reply
from tests.fixtures.workers import Watcher

JOBS = "/api/v1/jobs"
LEASE = {"lease_duration": 30, "heartbeat_interval": 2}


def remembered(folder: Path, flow: str) -> set[str]:
    """The threads that have checkpoints."""
    connection = sqlite3.connect(folder / "sqlite-data" / flow / "sqlite.db", timeout=30)
    try:
        return {
            row[0] for row in connection.execute("SELECT thread_id FROM checkpoints UNION SELECT thread_id FROM writes")
        }
    finally:
        connection.close()


async def test_each_host_cleans_its_own_file(client: httpx2.AsyncClient, work: Work, tmp_path: Path) -> None:
    payload = {"input": "go", "flow": "laps", "limits": {"max_steps": 1}}
    async with work(data_dir=tmp_path / "other", **LEASE):
        failed = (await client.post(JOBS, json={"kind": "agent.run", "payload": payload})).json()
        assert (await ended(client, failed))["status"] == "failed"
        assert len(remembered(tmp_path / "other", "laps")) == 1
    # The folder of the other host is not this worker's, which has nothing to clean and opens nothing.
    async with work(agent_cleanup_interval=0.1, **LEASE):
        await create(client)
    assert (len(remembered(tmp_path / "other", "laps")), (tmp_path / "data" / "sqlite-data").exists()) == (1, False)
    async with work(data_dir=tmp_path / "other", agent_cleanup_interval=0.1, **LEASE), asyncio.timeout(60):
        while remembered(tmp_path / "other", "laps"):  # noqa: ASYNC110  another connection's file
            await asyncio.sleep(0.05)


async def test_runs_that_did_not_succeed_and_old_threads_are_forgotten(
    client: httpx2.AsyncClient,
    work: Work,
    provider: Provider,
    container: CommonContainer,
    watcher: Watcher,
    owner: Owner,
    tmp_path: Path,
) -> None:
    payload = {"input": "go", "flow": "laps", "limits": {"max_steps": 1}}
    async with work(thread_retention="7 days", **LEASE):
        failed = (await client.post(JOBS, json={"kind": "agent.run", "payload": payload})).json()
        assert (await ended(client, failed))["status"] == "failed"
        provider.script(Reply(), Reply(ending="held"))
        del payload["limits"]
        cancelled = (await client.post(JOBS, json={"kind": "agent.run", "payload": payload})).json()
        await watcher.until(UUID(cancelled["id"]), "agent.update")
        await client.post(f"{JOBS}/{cancelled['id']}/cancel")
        assert (await ended(client, cancelled))["status"] == "cancelled"
        old, new = await create(client), await create(client)
        for thread_id in (old, new):
            await say(client, thread_id, "hello")
        async with container.sessions().begin() as db:
            late = "UPDATE threads SET updated_at = now() - interval '8 days' WHERE id = :id"
            await db.execute(text(late), {"id": UUID(old)})
        before = remembered(tmp_path / "data", "laps"), remembered(tmp_path / "data", "example")
        job = await container.queue().submit(agent_clean, AgentCleanPayload(), owner=owner)
        done = await watcher.ended(job)
    assert before == ({f"job:{job['id']}" for job in (failed, cancelled)}, {old, new})
    assert done.result == {"expired": 1, "threads": 1, "runs": 2}
    assert (remembered(tmp_path / "data", "laps"), remembered(tmp_path / "data", "example")) == (set(), {new})
    found = [(await client.get(f"{THREADS}/{thread_id}/messages")).status_code for thread_id in (old, new)]
    assert found == [404, 200]
    async with container.sessions()() as db:
        count = await db.scalar(text("SELECT count(*) FROM thread_messages WHERE thread_id = :id"), {"id": UUID(old)})
    assert count == 0
