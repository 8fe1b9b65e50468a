"""Five hosts in network namespaces: a cable is pulled and put back while jobs run."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import pytest

from common.config import CommonSettings
from common.container import CommonContainer
from common.embedded.stack import EmbeddedStack
from common.queue.status import AttemptOutcome
from common.repository.job import Owner, WholeTenant
from common.repository.user import DEFAULT_TENANT_ID, SERVICE_USER
from common.repository.worker import WorkerRepository
from tests.faults.arena import Arena, eventually, outcomes
from tests.faults.fleet import Fleet, WorkerProcess
from tests.faults.hosts import Host, Switch, can_have_hosts

pytestmark = [pytest.mark.faults, pytest.mark.soak]

_ROOT = Path(__file__).parents[2]
_TOKEN = "the-static-token-of-the-service"
_PORT = 8000


@dataclass
class Site:
    """The switch with its hosts, the workers on two of them, and a client on the last."""

    switch: Switch
    api: Host
    first: Fleet
    second: Fleet
    first_host: Host
    second_host: Host
    arena: Arena
    http: httpx2.AsyncClient

    async def submit(self, kind: str, payload: dict[str, Any], count: int) -> list[UUID]:
        """Jobs that the api accepted."""
        ids = []
        for _ in range(count):
            answer = await self.http.post("/api/v1/jobs", json={"kind": kind, "payload": payload})
            assert answer.status_code == 202, answer.text
            ids.append(UUID(answer.json()["id"]))
            async with self.arena.container.sessions()() as db:
                reach = WholeTenant(DEFAULT_TENANT_ID)
                self.arena.accepted.append(await self.arena.container.jobs().get(db, ids[-1], reach))
        return ids

    async def until_ended(self, ids: list[UUID]) -> None:
        """Wait for some of the jobs."""
        await self.arena.until_ended(jobs=[job for job in self.arena.accepted if job.id in ids])

    async def pause(self, worker: WorkerProcess, is_paused: bool) -> None:
        """Let a worker take no jobs, or take them again."""
        async with self.arena.container.sessions().begin() as db:
            assert await WorkerRepository().steer(db, worker.id, is_draining=is_paused)

    async def is_open(self) -> bool:
        """Whether the api answers and accepts."""
        try:
            return (await self.http.get("/ready")).is_success
        except httpx2.TransportError:
            return False


@asynccontextmanager
async def running(*command: str, env: dict[str, str]) -> AsyncIterator[Process]:
    """A process that ends with the block."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    process = await asyncio.create_subprocess_exec(
        *command, env={**inherited, **env}, cwd=_ROOT, stdin=PIPE, stdout=PIPE, start_new_session=True
    )
    try:
        yield process
    finally:
        assert process.stdin is not None
        process.stdin.close()
        if "api.main" in command and process.returncode is None:
            process.terminate()
        await process.wait()


@pytest.fixture
async def site(data_dir: Path, tmp_path: Path) -> AsyncIterator[Site]:
    """Stores, api, two workers' hosts and a client, each on a host of its own."""
    if not can_have_hosts():
        pytest.skip("network namespaces cannot be made here: that needs Linux, root, ip, nsenter and unshare")
    async with AsyncExitStack() as stack:
        switch = stack.enter_context(Switch())
        names = ("stores", "api", "worker-1", "worker-2", "client")
        stores, api, first, second, client = (switch.add(name) for name in names)
        command = (*stores.command, sys.executable, "-m", "tests.faults.store_host", str(data_dir), stores.address)
        store_process = await stack.enter_async_context(running(*command, env={}))
        assert store_process.stdout is not None
        urls = json.loads(await asyncio.wait_for(store_process.stdout.readline(), 60))
        env = {"ENVIRONMENT": "test", **urls}
        secrets = {"ACCESS_TOKEN": _TOKEN, "JWT_SECRET": "an-honest-secret-of-more-than-32-bytes"}
        secrets |= {"ENVIRONMENT": "staging", "ALLOW_STORES_WITHOUT_PASSWORD": "true"}
        place = {"API_HOST": api.address, "API_PORT": str(_PORT), "DATA_DIR": str(tmp_path), "RATE_LIMIT_PER_USER": "0"}
        process = running(*api.command, sys.executable, "-m", "api.main", env={**env, **secrets, **place})
        await stack.enter_async_context(process)
        stack.enter_context(client.entered())
        fleets = [await stack.enter_async_context(Fleet(env, command=host.command)) for host in (first, second)]
        given = await stack.enter_async_context(EmbeddedStack(tmp_path / "none", urls, only={"postgres", "redis"}))
        settings = {"environment": "test", "database_url": urls["DATABASE_URL"], "redis_url": urls["REDIS_URL"]}
        container = CommonContainer(settings=CommonSettings.model_validate(settings))
        arena = Arena(given, container, fleets[0], Owner(DEFAULT_TENANT_ID, SERVICE_USER.id))
        bearer = {"Authorization": f"Bearer {_TOKEN}"}
        http = await stack.enter_async_context(
            httpx2.AsyncClient(
                base_url=f"http://{api.address}:{_PORT}", headers=bearer, trust_env=False, timeout=httpx2.Timeout(5)
            )
        )
        site = Site(switch, api, fleets[0], fleets[1], first, second, arena, http)
        await eventually(site.is_open, 60)
        yield site
        await container.redis().aclose()
        await container.listener_redis().aclose()
        await container.direct().close()
        await container.engine().dispose()


async def test_a_host_is_cut_off_and_comes_back(site: Site) -> None:
    """Its jobs go on elsewhere; what it still wants to write is refused; then it works again."""
    [other] = await site.second.start(1, WORKER_CONCURRENCY="10")
    await site.pause(other, True)
    [lost] = await site.first.start(1, WORKER_CONCURRENCY="3")
    held = await site.submit("system.sleep", {"seconds": 6}, 3)
    await site.arena.until("status = 'running'", 3)

    site.switch.cut(site.first_host)
    await site.pause(other, False)
    await site.arena.until("status = 'running' AND attempt = 2", 3, limit=60)
    await site.until_ended(await site.submit("system.echo", {"message": "jobs go on"}, 20))
    site.switch.heal(site.first_host)
    await lost.printed("starts again under a new id", limit=60)
    await site.until_ended(held)

    site.switch.cut(site.second_host)
    await site.until_ended(await site.submit("system.echo", {"message": "it works again"}, 20))
    site.switch.heal(site.second_host)

    stories = await site.arena.check(whole_events=False)
    assert outcomes(stories) == {"succeeded": 43}
    for story in stories:
        if story.job_id in held:
            ends = [(ending.attempt, ending.outcome) for ending in story.endings]
            assert ends == [(1, AttemptOutcome.CRASHED), (2, AttemptOutcome.SUCCEEDED)]
            assert {ending.worker_id for ending in story.endings[:1]} == {lost.id}


async def test_the_api_is_cut_off_and_comes_back(site: Site) -> None:
    """What was accepted runs to its end meanwhile, and clients come back to it."""
    await site.second.start(1, WORKER_CONCURRENCY="10")
    held = await site.submit("system.sleep", {"seconds": 2}, 5)
    site.switch.cut(site.api)
    assert not await site.is_open()
    await site.until_ended(held)
    site.switch.heal(site.api)
    await eventually(site.is_open, 60)
    shown = (await site.http.get(f"/api/v1/jobs/{held[0]}")).json()
    assert shown["status"] == "succeeded"
    await site.until_ended(await site.submit("system.echo", {"message": "hello again"}, 5))
    assert outcomes(await site.arena.check(whole_events=False)) == {"succeeded": 10}
