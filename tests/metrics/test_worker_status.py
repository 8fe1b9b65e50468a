"""A worker's probes and figures, from outside its event loop."""

import asyncio
import socket
import threading
import urllib.error
import urllib.request

import pytest
from pydantic import ValidationError

from common.cli.worker_process import WorkerProcess, default_plans, multiply
from common.config import CommonSettings
from common.container import CommonContainer
from common.errors import InvalidError
from common.events import EventType
from common.jobs.system_echo import SystemEchoPayload, system_echo
from common.repository.job import Owner
from tests.fixtures.workers import Watcher, running_worker
from tests.metrics.conftest import WatchedWorker
from worker.config import WorkerSettings


async def test_a_worker_tells_what_it_did(
    worker: WatchedWorker, container: CommonContainer, owner: Owner, watcher: Watcher
) -> None:
    for number in range(3):
        job = await container.queue().submit(system_echo, SystemEchoPayload(message=str(number)), owner=owner)
        await watcher.until(job.id, EventType.SUCCEEDED)

    found = await worker.figures()
    assert found["letuin_jobs_finished_total", ("system.echo", "succeeded", "default")] == 3
    assert found["letuin_job_attempts_total", ("system.echo", "succeeded")] == 3
    assert found["letuin_job_run_seconds_count", ("system.echo",)] == 3
    assert found["letuin_job_wait_seconds_count", ("default",)] == 3
    assert found["letuin_worker_slots", ("free",)] == worker.engine.max_jobs
    assert found["letuin_worker_up", ()] == 1
    assert found["letuin_lease_renewals_total", ("ok",)] >= 1
    assert found["letuin_stale_writes_rejected_total", ()] == 0
    assert found["letuin_events_published_total", ()] >= 6
    assert found["letuin_bus_canary_age_seconds", ()] < 30
    assert not [labels for _, labels in found.samples if str(owner.tenant_id) in labels or str(job.id) in labels]


async def test_probes_say_how_the_worker_is(worker: WatchedWorker) -> None:
    ready = await worker.until("/ready", 200)
    alive = await worker.until("/live", 200)

    assert alive.json()["status"] == "alive"
    assert ready.json()["services"] == {"lease": "healthy", "events": "healthy", "loop": "healthy"}
    assert (await worker.http.get("/")).status_code == 404


async def test_a_blocked_loop_is_seen_from_outside(worker: WatchedWorker) -> None:
    seen: list[int] = []

    def probe() -> None:
        while not seen:
            try:
                urllib.request.urlopen(f"{worker.url}/live", timeout=60).close()
            except urllib.error.HTTPError as error:
                seen.append(error.code)
                error.close()

    await worker.until("/live", 200)
    prober = threading.Thread(target=probe)
    prober.start()
    prober.join(30)  # holds up this very loop until somebody outside has noticed

    assert seen == [503]
    await worker.until("/live", 200)


async def test_without_a_lease_it_is_not_ready(worker: WatchedWorker) -> None:
    await worker.until("/ready", 200)
    assert worker.engine.lease is not None
    await worker.engine.lease.stop()
    async with asyncio.timeout(60):
        while True:  # a busy machine makes its loop late, too
            answer = await worker.until("/ready", 503)
            if answer.json()["services"]["lease"] == "unhealthy":
                break

    assert answer.json()["status"] == "not ready"
    await worker.until("/live", 200)


async def test_a_taken_port_is_named(settings: CommonSettings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InvalidError, match=f"WORKER_HTTP_PORT: cannot listen on 127.0.0.1:{port}"):
            async with running_worker(settings, worker_http_port=port):
                pass


def test_processes_of_one_supervisor_listen_in_a_row(settings: CommonSettings) -> None:
    environ = {"WORKER_HTTP_PORT": "9101"}
    for plans in (multiply("worker", ["default"], 3, None), default_plans(2, None)):
        envs = [WorkerProcess(plan, environ, settings).spec().env for plan in plans]
        ports = [env()["WORKER_HTTP_PORT"] for env in envs if callable(env)]
        assert ports == [str(9101 + number) for number in range(len(plans))]


def test_a_wrong_port_is_named() -> None:
    with pytest.raises(ValidationError, match="worker_http_port"):
        WorkerSettings(_env_file=None, worker_http_port=70_000)
