"""Rows that the reconciler moves: which ones, and which ones it leaves alone."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from common.config import CommonSettings
from common.container import CommonContainer
from common.events import EventType
from common.ids import new_id
from common.jobs.system_echo import SystemEchoPayload, system_echo
from common.queue.status import JobStatus
from common.repository import upkeep
from common.repository.job import Owner
from common.repository.sql import statement
from common.repository.upkeep import UpkeepRepository
from common.repository.worker import Incarnation, WorkerRepository
from tests.fixtures.workers import Watcher, running_worker

HELLO = SystemEchoPayload(message="hello")


async def change(container: CommonContainer, statement: str, **values: object) -> None:
    async with container.sessions().begin() as db:
        await db.execute(text(statement), values)


async def register(container: CommonContainer) -> UUID:
    incarnation = Incarnation(new_id(), "here", "boot", 1, ("default",), 10)
    async with container.sessions().begin() as db:
        await WorkerRepository().register(db, incarnation, timedelta(hours=1))
    return incarnation.id


async def test_a_queued_job_whose_cancel_was_requested_is_ended(
    container: CommonContainer, settings: CommonSettings, owner: Owner, watcher: Watcher
) -> None:
    job = await container.queue().submit(system_echo, HELLO, owner=owner)
    await change(container, "UPDATE jobs SET cancel_requested_at = now()")
    async with running_worker(settings):
        row = await watcher.ended(job)
    assert (row.status, row.attempt, row.error and row.error["code"]) == (JobStatus.CANCELLED, 0, "cancelled")
    assert watcher.seen[-1].type == EventType.CANCELLED


async def test_a_slow_reaper_takes_no_job_that_has_found_another_worker(
    container: CommonContainer, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Window: between a reaper's look and its lock, another one hands the job back and a worker claims it."""
    dead, alive = await register(container), await register(container)
    job = await container.queue().submit(system_echo, HELLO, owner=owner)
    await change(
        container, "UPDATE jobs SET status = 'running', attempt = 1, started_at = now(), lease_owner = :id", id=dead
    )
    await change(container, "UPDATE workers SET stopped_at = now() WHERE id = :id", id=dead)
    slow = upkeep._REAP.text.replace("AND NOT EXISTS", "AND pg_sleep(0.5) IS NOT NULL AND NOT EXISTS", 1)
    assert slow != upkeep._REAP.text
    monkeypatch.setattr(upkeep, "_REAP", statement(slow))

    async def reap() -> int:
        async with container.sessions().begin() as db:
            return len(await UpkeepRepository().reap(db, limit=10, max_crashes=3))

    reaping = asyncio.create_task(reap())
    await asyncio.sleep(0.2)
    await change(container, "UPDATE jobs SET status = 'queued', lease_owner = NULL")
    await change(container, "UPDATE jobs SET status = 'running', attempt = 2, lease_owner = :id", id=alive)
    assert await reaping == 0
    async with container.sessions()() as db:
        row = await container.jobs().get(db, job.id, owner)
    assert (row.status, row.attempt, row.crashes, row.lease_owner) == (JobStatus.RUNNING, 2, 0, alive)
