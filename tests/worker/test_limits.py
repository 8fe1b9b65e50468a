"""Limits that hold over all workers: per kind key, per owner, and paused queues."""

import asyncio
from collections import Counter

from common.config import CommonSettings
from common.container import CommonContainer
from common.events import EventType
from common.jobs.system_echo import SystemEchoPayload, system_echo
from common.jobs.system_sleep import SystemSleepPayload, system_sleep
from common.queue.client import SubmitOptions
from common.queue.limits import ConcurrencyLimit
from common.queue.status import JobStatus
from common.repository.job import Owner
from common.repository.queue import QueueRepository
from common.repository.worker import WorkerRepository
from tests.fixtures.workers import Watcher, running_worker


def most_at_once(watcher: Watcher) -> int:
    """The largest number of jobs between their start and their end, as the events tell it."""
    running, most = 0, 0
    for event in watcher.seen:
        running += {EventType.STARTED: 1, EventType.SUCCEEDED: -1}.get(EventType(event.type), 0)
        most = max(most, running)
    return most


async def test_jobs_of_one_key_never_run_more_than_its_limit_at_a_time(
    container: CommonContainer, settings: CommonSettings, owner: Owner, watcher: Watcher
) -> None:
    options = SubmitOptions(concurrency=ConcurrencyLimit("report", 2))
    payload = SystemSleepPayload(seconds=0.1)
    jobs = [await container.queue().submit(system_sleep, payload, owner=owner, options=options) for _ in range(10)]
    async with running_worker(settings), running_worker(settings):
        rows = [await watcher.ended(job) for job in jobs]
        await asyncio.gather(*(watcher.until(job.id, EventType.SUCCEEDED) for job in jobs[-1:]))
    assert Counter(row.status for row in rows) == {JobStatus.SUCCEEDED: 10}
    assert most_at_once(watcher) == 2


async def test_a_job_held_back_by_a_limit_says_so_and_others_pass_it(
    container: CommonContainer, settings: CommonSettings, owner: Owner, watcher: Watcher
) -> None:
    options = SubmitOptions(concurrency=ConcurrencyLimit("report", 1))
    async with running_worker(settings):
        long = await container.queue().submit(
            system_sleep, SystemSleepPayload(seconds=60), owner=owner, options=options
        )
        await watcher.until(long.id, EventType.STARTED)
        held = await container.queue().submit(system_sleep, SystemSleepPayload(seconds=0), owner=owner, options=options)
        free = await container.queue().submit(system_echo, SystemEchoPayload(message="free"), owner=owner)
        await watcher.ended(free)
        async with container.sessions()() as db:
            row = await container.jobs().find(db, held.id, owner)
        assert row is not None
        assert (row.status, row.waiting) == (JobStatus.QUEUED, "concurrency")
        await container.queue().cancel(long.id, owner)
        assert (await watcher.ended(held)).status == JobStatus.SUCCEEDED


async def test_a_paused_queue_starts_nothing_until_it_is_resumed(
    container: CommonContainer, settings: CommonSettings, owner: Owner, watcher: Watcher
) -> None:
    queues = QueueRepository()
    async with container.sessions().begin() as db:
        await queues.set_paused(db, "default", is_paused=True)
    async with running_worker(settings):
        job = await container.queue().submit(system_echo, SystemEchoPayload(message="hi"), owner=owner)
        other = await container.queue().submit(system_echo, SystemEchoPayload(message="ho"), owner=owner)
        await container.queue().cancel(other.id, owner)
        async with container.sessions()() as db:
            [state] = await queues.list_states(db)
            row = await container.jobs().find(db, job.id, owner)
        assert (state.name, state.is_paused, state.queued, state.running) == ("default", True, 1, 0)
        assert row is not None
        assert row.status == JobStatus.QUEUED
        async with container.sessions().begin() as db:
            await queues.set_paused(db, "default", is_paused=False)
        assert (await watcher.ended(job)).status == JobStatus.SUCCEEDED


async def test_a_workers_concurrency_and_claims_change_while_it_runs(
    container: CommonContainer, settings: CommonSettings, owner: Owner, watcher: Watcher
) -> None:
    workers = WorkerRepository()
    async with running_worker(settings, worker_concurrency=1) as engine:
        assert engine.lease is not None
        async with container.sessions().begin() as db:
            assert await workers.steer(db, engine.lease.worker_id, concurrency=3)
        payload = SystemSleepPayload(seconds=60)
        jobs = [await container.queue().submit(system_sleep, payload, owner=owner) for _ in range(3)]
        for job in jobs:
            await watcher.until(job.id, EventType.STARTED)
        for job in jobs:
            await container.queue().cancel(job.id, owner)
