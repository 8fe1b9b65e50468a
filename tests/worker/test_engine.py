"""A job's way through a worker: claimed, run, finished once, seen in rows and events."""

import asyncio

import pytest

from common.config import CommonSettings
from common.container import CommonContainer
from common.events import EventType
from common.jobs.system_echo import SystemEchoPayload, system_echo
from common.jobs.system_sleep import SystemSleepPayload, system_sleep
from common.queue.client import CancelOutcome, SubmitOptions
from common.queue.status import AttemptOutcome, JobStatus
from common.repository.job import Owner
from common.repository.worker import WorkerRepository
from tests.fixtures.workers import Watcher, running_worker


@pytest.fixture
def workers() -> WorkerRepository:
    return WorkerRepository()


async def test_a_job_runs_and_its_events_are_numbered(
    container: CommonContainer, settings: CommonSettings, owner: Owner, watcher: Watcher
) -> None:
    async with running_worker(settings):
        job = await container.queue().submit(system_echo, SystemEchoPayload(message="hello"), owner=owner)
        row = await watcher.ended(job)
        await watcher.until(job.id, EventType.SUCCEEDED)
    assert (row.status, row.result, row.attempt, row.failures) == (JobStatus.SUCCEEDED, {"message": "hello"}, 1, 0)
    page = await container.events().read(job.id)
    assert [(e.seq, e.type) for e in page.events] == [(1, "job.queued"), (2, "job.started"), (3, "job.succeeded")]
    assert page.events[-1].data == {"result": {"message": "hello"}}
    async with container.sessions()() as db:
        attempts = await container.jobs().list_attempts(db, job.id)
    assert [(a.attempt, a.outcome) for a in attempts] == [(1, AttemptOutcome.SUCCEEDED)]
    assert await container.redis().zcard(container.keys().queue("default")) == 0


async def test_five_hundred_jobs_each_end_once(
    container: CommonContainer, settings: CommonSettings, owner: Owner, watcher: Watcher
) -> None:
    payloads = [SystemEchoPayload(message=str(number)) for number in range(500)]
    jobs = await asyncio.gather(*(container.queue().submit(system_echo, p, owner=owner) for p in payloads))
    async with running_worker(settings, worker_concurrency=100), running_worker(settings, worker_concurrency=100):
        rows = [await watcher.ended(job) for job in jobs]
    assert [row.result and row.result["message"] for row in rows] == [str(number) for number in range(500)]
    assert {row.attempt for row in rows} == {1}


async def test_progress_is_on_the_row_and_in_the_events(
    container: CommonContainer, settings: CommonSettings, owner: Owner, watcher: Watcher
) -> None:
    async with running_worker(settings):
        job = await container.queue().submit(system_sleep, SystemSleepPayload(seconds=0.6), owner=owner)
        row = await watcher.ended(job)
    assert row.progress == {"fraction": 1.0, "message": None}
    fractions = [event.data["fraction"] for event in watcher.seen if event.type == EventType.PROGRESS]
    assert fractions == sorted(fractions)
    assert len(fractions) >= 3


async def test_cancel_stops_a_running_job_at_once(
    container: CommonContainer, settings: CommonSettings, owner: Owner, watcher: Watcher
) -> None:
    async with running_worker(settings):
        job = await container.queue().submit(system_sleep, SystemSleepPayload(seconds=60), owner=owner)
        await watcher.until(job.id, EventType.STARTED)
        async with asyncio.timeout(60):
            cancelled = await container.queue().cancel(job.id, owner)
            row = await watcher.ended(job)
    assert cancelled.outcome is CancelOutcome.REQUESTED
    assert (row.status, row.error and row.error["code"]) == (JobStatus.CANCELLED, "cancelled")


async def test_a_drained_worker_hands_its_job_back_without_using_a_budget(
    container: CommonContainer, settings: CommonSettings, owner: Owner, watcher: Watcher
) -> None:
    async with running_worker(settings):
        job = await container.queue().submit(system_sleep, SystemSleepPayload(seconds=2), owner=owner)
        await watcher.until(job.id, EventType.STARTED)
    async with running_worker(settings):
        row = await watcher.ended(job)
    assert (row.status, row.attempt, row.failures, row.crashes) == (JobStatus.SUCCEEDED, 2, 0, 0)


async def test_a_timeout_is_a_failure_with_a_code_of_its_own(
    container: CommonContainer, settings: CommonSettings, owner: Owner, watcher: Watcher
) -> None:
    options = SubmitOptions(timeout=system_sleep.timeout / 36_000, max_attempts=1)
    async with running_worker(settings):
        job = await container.queue().submit(system_sleep, SystemSleepPayload(seconds=30), owner=owner, options=options)
        row = await watcher.ended(job)
    assert (row.status, row.failures) == (JobStatus.FAILED, 1)
    assert row.error is not None
    assert (row.error["code"], row.error["message"]) == ("timeout", "over its timeout of 0.2 s")


async def test_a_released_lease_brings_the_job_back_and_the_old_attempt_is_refused(
    container: CommonContainer, settings: CommonSettings, owner: Owner, watcher: Watcher, workers: WorkerRepository
) -> None:
    async with running_worker(settings) as engine:
        job = await container.queue().submit(system_sleep, SystemSleepPayload(seconds=1), owner=owner)
        await watcher.until(job.id, EventType.STARTED)
        assert engine.lease is not None
        dead = engine.lease.worker_id
        async with container.sessions().begin() as db:
            assert await workers.release(db, dead)
        row = await watcher.ended(job)
        assert engine.lease.worker_id != dead
    assert (row.status, row.attempt, row.crashes, row.failures) == (JobStatus.SUCCEEDED, 2, 1, 0)
    async with container.sessions()() as db:
        attempts = await container.jobs().list_attempts(db, job.id)
    assert [(a.attempt, a.outcome) for a in attempts] == [(1, "crashed"), (2, "succeeded")]


async def test_an_emptied_redis_loses_nothing(
    container: CommonContainer, settings: CommonSettings, owner: Owner, watcher: Watcher
) -> None:
    payloads = [SystemEchoPayload(message=str(number)) for number in range(50)]
    jobs = await asyncio.gather(*(container.queue().submit(system_echo, p, owner=owner) for p in payloads))
    await container.redis().flushdb()
    async with running_worker(settings):
        rows = [await watcher.ended(job) for job in jobs]
    assert {row.status for row in rows} == {JobStatus.SUCCEEDED}


async def test_garbage_in_the_queue_is_set_aside_and_stops_nobody(
    container: CommonContainer, settings: CommonSettings, owner: Owner, watcher: Watcher
) -> None:
    redis, keys = container.redis(), container.keys()
    await redis.zadd(keys.queue("default"), {b"not-a-job": 0, b"\xff\xfe": 0, b"0" * 36: 0})
    async with running_worker(settings):
        job = await container.queue().submit(system_echo, SystemEchoPayload(message="hi"), owner=owner)
        row = await watcher.ended(job)
    assert row.status == JobStatus.SUCCEEDED
    pipe = redis.pipeline()
    pipe.lrange(keys.quarantine, 0, -1)
    [quarantined] = await pipe.execute()
    assert set(quarantined) == {b"not-a-job", b"\xff\xfe", b"0" * 36}
