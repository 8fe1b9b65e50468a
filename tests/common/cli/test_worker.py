"""`letuin worker`: the supervisor frees a dead worker's jobs at once, and leaves nothing behind."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import psutil
import pytest

from common.container import CommonContainer
from common.database.model import Job
from common.jobs.system_echo import SystemEchoPayload, system_echo
from common.jobs.system_sleep import SystemSleepPayload, system_sleep
from common.queue.status import JobStatus
from common.repository.job import Owner
from tests.fixtures.letuin import command, environment
from tests.fixtures.stores import Stores

_LEASE = 300
_SETTINGS = {"WORKER_DRAIN_GRACE": "1", "LOG_LEVEL": "INFO", "LEASE_DURATION": str(_LEASE)}


@asynccontextmanager
async def _running(folder: Path, stores: Stores, *options: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *command("worker", *options),
        cwd=folder,
        env=environment(folder, {**stores.environment, **_SETTINGS}),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def _until(container: CommonContainer, job_id: UUID, owner: Owner, *statuses: JobStatus, attempt: int = 1) -> Job:
    while True:
        async with container.sessions()() as db:
            job = await container.jobs().find(db, job_id, owner)
        assert job is not None
        if job.status in statuses and job.attempt >= attempt:
            return job
        await asyncio.sleep(0.05)


def _children(process: asyncio.subprocess.Process) -> list[psutil.Process]:
    found: list[psutil.Process] = psutil.Process(process.pid).children(recursive=True)
    return found


async def _are_gone(processes: list[psutil.Process], limit: float = 60) -> bool:
    _, alive = await asyncio.to_thread(psutil.wait_procs, processes, limit)
    return not alive


@pytest.mark.e2e
async def test_a_killed_worker_is_replaced_and_its_job_runs_again(
    tmp_path: Path, stores: Stores, container: CommonContainer, owner: Owner
) -> None:
    async with _running(tmp_path, stores) as process:
        job = await container.queue().submit(system_sleep, SystemSleepPayload(seconds=2), owner=owner)
        await _until(container, job.id, owner, JobStatus.RUNNING)
        (worker,) = _children(process)
        worker.kill()
        killed_at = asyncio.get_running_loop().time()
        again = await _until(container, job.id, owner, JobStatus.RUNNING, attempt=2)
        took = asyncio.get_running_loop().time() - killed_at
        done = await _until(container, job.id, owner, JobStatus.SUCCEEDED)

        assert (again.attempt, done.attempt, done.crashes) == (2, 2, 1)
        assert took < _LEASE, "the supervisor did not tell"
        (replacement,) = _children(process)
        process.terminate()
        assert await process.wait() == 0
        assert await _are_gone([worker, replacement])


@pytest.mark.e2e
async def test_it_serves_only_the_named_queues_with_as_many_processes_as_told(
    tmp_path: Path, stores: Stores, container: CommonContainer, owner: Owner
) -> None:
    async with _running(tmp_path, stores, "--queues", "default", "--processes", "2") as process:
        job = await container.queue().submit(system_echo, SystemEchoPayload(message="hello"), owner=owner)
        done = await _until(container, job.id, owner, JobStatus.SUCCEEDED)

        assert done.result == {"message": "hello"}
        children = _children(process)
        assert len(children) == 2
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 130
        assert await _are_gone(children)


@pytest.mark.e2e
async def test_a_killed_supervisor_takes_its_workers_along(
    tmp_path: Path, stores: Stores, container: CommonContainer, owner: Owner
) -> None:
    async with _running(tmp_path, stores) as process:
        job = await container.queue().submit(system_echo, SystemEchoPayload(message="hello"), owner=owner)
        await _until(container, job.id, owner, JobStatus.SUCCEEDED)
        children = _children(process)
        process.kill()

        assert await _are_gone(children)


@pytest.mark.e2e
async def test_without_supervisor_it_is_the_worker(
    tmp_path: Path, stores: Stores, container: CommonContainer, owner: Owner
) -> None:
    async with _running(tmp_path, stores, "--no-supervisor") as process:
        job = await container.queue().submit(system_echo, SystemEchoPayload(message="hello"), owner=owner)
        await _until(container, job.id, owner, JobStatus.SUCCEEDED)

        assert "worker.main" in psutil.Process(process.pid).cmdline()
        assert _children(process) == []
        os.kill(process.pid, signal.SIGTERM)
        assert await process.wait() == 0
