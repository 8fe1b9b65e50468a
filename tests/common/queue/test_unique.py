"""Unique keys: which submits make a job, and which are answered with the job that is there."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text

from common.config import CommonSettings
from common.container import CommonContainer
from common.events import EventType
from common.ids import new_id
from common.jobs.system_echo import SystemEchoPayload, system_echo
from common.jobs.system_sleep import SystemSleepPayload, system_sleep
from common.queue.client import SubmitOptions, Submitted, Unique, UniqueMode
from common.queue.status import JobStatus
from common.repository.job import Owner
from tests.fixtures.workers import Watcher, running_worker

MINUTE = timedelta(minutes=1)


async def echo(container: CommonContainer, owner: Owner, message: str, unique: Unique) -> Submitted:
    return await container.queue().accept(
        system_echo, SystemEchoPayload(message=message), owner=owner, options=SubmitOptions(unique=unique)
    )


async def sleep(container: CommonContainer, owner: Owner, seconds: float, unique: Unique) -> Submitted:
    return await container.queue().accept(
        system_sleep, SystemSleepPayload(seconds=seconds), owner=owner, options=SubmitOptions(unique=unique)
    )


async def count(container: CommonContainer, owner: Owner) -> int:
    async with container.sessions()() as db:
        found = await db.execute(text("SELECT count(*) FROM jobs WHERE owner_id = :id"), {"id": owner.user_id})
        return int(found.scalar_one())


async def test_while_active_holds_until_the_end(
    container: CommonContainer, settings: CommonSettings, owner: Owner, watcher: Watcher
) -> None:
    unique = Unique(UniqueMode.WHILE_ACTIVE, "report")
    first = await echo(container, owner, "a", unique)
    second = await echo(container, owner, "b", unique)
    assert (first.is_deduplicated, second.is_deduplicated) == (False, True)
    assert second.job.id == first.job.id
    async with running_worker(settings):
        assert (await watcher.ended(first.job)).result == {"message": "a"}
        third = await echo(container, owner, "c", unique)
        assert not third.is_deduplicated
        assert (await watcher.ended(third.job)).result == {"message": "c"}


async def test_without_a_key_the_payload_is_the_key_and_others_have_their_own(
    container: CommonContainer, owner: Owner
) -> None:
    unique = Unique(UniqueMode.WHILE_ACTIVE)
    first = await echo(container, owner, "a", unique)
    assert (await echo(container, owner, "a", unique)).job.id == first.job.id
    assert not (await echo(container, owner, "b", unique)).is_deduplicated
    stranger = Owner(owner.tenant_id, new_id())
    assert not (await echo(container, stranger, "a", unique)).is_deduplicated


@pytest.mark.parametrize("mode", [UniqueMode.WHILE_ACTIVE, UniqueMode.KEEP_LAST])
async def test_a_hundred_at_once_make_one_job(container: CommonContainer, owner: Owner, mode: UniqueMode) -> None:
    unique = Unique(mode, "one")
    submitted = await asyncio.gather(*(echo(container, owner, str(n), unique) for n in range(100)))
    assert len({each.job.id for each in submitted}) == 1
    assert sum(not each.is_deduplicated for each in submitted) == 1
    assert await count(container, owner) == 1


async def test_throttle_lets_one_in_a_period(container: CommonContainer, owner: Owner) -> None:
    unique = Unique(UniqueMode.THROTTLE, "sync", period=MINUTE)
    first = await echo(container, owner, "a", unique)
    await container.queue().cancel(first.job.id, owner)
    second = await echo(container, owner, "b", unique)
    assert (second.is_deduplicated, second.job.id) == (True, first.job.id)
    async with container.sessions().begin() as db:
        await db.execute(text("UPDATE unique_slots SET taken_at = taken_at - interval '2 minutes'"))
    assert not (await echo(container, owner, "c", unique)).is_deduplicated


async def test_debounce_postpones_and_keeps_the_newest_payload(container: CommonContainer, owner: Owner) -> None:
    unique = Unique(UniqueMode.DEBOUNCE, "index", period=MINUTE, max_delay=1.5 * MINUTE)
    first = await echo(container, owner, "a", unique)
    second = await echo(container, owner, "b", unique)
    assert second.is_deduplicated
    assert (second.job.id, second.job.payload) == (first.job.id, {"message": "b"})
    assert first.job.run_at - first.job.created_at == MINUTE
    assert timedelta(0) < second.job.run_at - first.job.run_at < timedelta(seconds=10)
    async with container.sessions().begin() as db:
        passed = "interval '50 seconds'"
        await db.execute(text(f"UPDATE jobs SET created_at = created_at - {passed}, run_at = run_at - {passed}"))
    third = await echo(container, owner, "c", unique)
    assert third.job.run_at - third.job.created_at == 1.5 * MINUTE
    assert await container.redis().zscore(container.keys().later("default"), str(first.job.id)) is not None


async def test_debounced_job_runs_once_with_the_last_payload(
    container: CommonContainer, settings: CommonSettings, owner: Owner, watcher: Watcher
) -> None:
    unique = Unique(UniqueMode.DEBOUNCE, "index", period=MINUTE)
    submitted = [await echo(container, owner, str(n), unique) for n in range(5)]
    async with container.sessions().begin() as db:
        await db.execute(text("UPDATE jobs SET run_at = now(), rank_at = now(), next_dispatch_at = now()"))
    async with running_worker(settings):
        row = await watcher.ended(submitted[0].job)
        again = await echo(container, owner, "later", unique)
    assert (row.result, row.attempt) == ({"message": "4"}, 1)
    assert again.job.id != row.id


async def test_keep_last_runs_one_and_keeps_the_newest_of_the_others(
    container: CommonContainer, settings: CommonSettings, owner: Owner, watcher: Watcher
) -> None:
    unique = Unique(UniqueMode.KEEP_LAST, "build")
    async with running_worker(settings):
        running = await sleep(container, owner, 600, unique)
        await watcher.until(running.job.id, EventType.STARTED)
        waiting = await sleep(container, owner, 0.3, unique)
        newest = await sleep(container, owner, 0.1, unique)
        assert (waiting.is_deduplicated, newest.is_deduplicated) == (False, True)
        assert newest.job.id == waiting.job.id
        await container.queue().cancel(running.job.id, owner)
        first, last = await watcher.ended(running.job), await watcher.ended(newest.job)
    assert last.payload == {"seconds": 0.1}
    assert (first.status, last.status) == (JobStatus.CANCELLED, JobStatus.SUCCEEDED)
    assert first.finished_at is not None
    assert last.started_at is not None
    assert last.started_at >= first.finished_at


async def test_keep_last_waits_for_the_running_one_also_after_the_waiting_one_was_cancelled(
    container: CommonContainer, settings: CommonSettings, owner: Owner, watcher: Watcher
) -> None:
    unique = Unique(UniqueMode.KEEP_LAST, "build")
    async with running_worker(settings):
        running = await sleep(container, owner, 600, unique)
        await watcher.until(running.job.id, EventType.STARTED)
        waiting = await sleep(container, owner, 0.3, unique)
        await container.queue().cancel(waiting.job.id, owner)
        newest = await sleep(container, owner, 0, unique)
        assert newest.job.pending_after == 1
        await container.queue().cancel(running.job.id, owner)
        first, last = await watcher.ended(running.job), await watcher.ended(newest.job)
    assert first.finished_at is not None
    assert last.started_at is not None
    assert last.started_at >= first.finished_at


@pytest.mark.parametrize(
    ("mode", "period", "max_delay"),
    [
        (UniqueMode.THROTTLE, None, None),
        (UniqueMode.DEBOUNCE, None, MINUTE),
        (UniqueMode.KEEP_LAST, MINUTE, None),
        (UniqueMode.THROTTLE, MINUTE, MINUTE),
    ],
)
def test_options_that_do_not_fit_are_refused(
    mode: UniqueMode, period: timedelta | None, max_delay: timedelta | None
) -> None:
    with pytest.raises(ValueError, match=mode):
        Unique(mode, period=period, max_delay=max_delay)
