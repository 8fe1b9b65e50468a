"""How soon a waiting job is found: hints of others in front of it, and announcements at the wrong moment."""

import asyncio
from datetime import timedelta

from common.config import CommonSettings
from common.container import CommonContainer
from common.database.model import Job
from common.ids import new_id
from common.jobs.system_echo import SystemEchoPayload, system_echo
from common.queue.hints import Hint
from common.queue.status import JobStatus
from common.repository.job import NewJob, Owner
from tests.fixtures.workers import Watcher, running_worker

HELLO = SystemEchoPayload(message="hello")


def new_job(owner: Owner, kind: str = "system.echo") -> NewJob:
    return NewJob(new_id(), owner, kind, "default", '{"message": "hello"}', 3, timedelta(minutes=1))


async def until_seen(container: CommonContainer, job: NewJob, status: JobStatus, waiting: str | None = None) -> Job:
    """Wait until the row says so."""
    async with asyncio.timeout(60):
        while True:
            async with container.sessions()() as db:
                row = await container.jobs().find(db, job.id, job.owner)
            if row is not None and (row.status, row.waiting) == (status, waiting):
                return row
            await asyncio.sleep(0.05)


async def test_hints_that_mean_nothing_any_more_delay_nobody(
    container: CommonContainer, settings: CommonSettings, owner: Owner, watcher: Watcher
) -> None:
    stale = [Hint(new_id(), owner.user_id, "system.echo", "default") for _ in range(30)]
    async with running_worker(settings, worker_concurrency=1, worker_poll_interval=600):
        await watcher.ended(await container.queue().submit(system_echo, HELLO, owner=owner))
        await container.hints().enqueue(stale)
        await watcher.ended(await container.queue().submit(system_echo, HELLO, owner=owner))


async def test_no_announcement_is_missed_while_the_worker_looks(
    container: CommonContainer, settings: CommonSettings, owner: Owner, watcher: Watcher
) -> None:
    """The poll is put off so far that nobody waits for it after one missed announcement."""
    async with running_worker(settings, worker_poll_interval=600):
        await watcher.ended(await container.queue().submit(system_echo, HELLO, owner=owner))
        for _ in range(30):
            submits = [container.queue().submit(system_echo, HELLO, owner=owner) for _ in range(3)]
            for job in await asyncio.gather(*submits):
                await watcher.ended(job)


async def test_a_transaction_that_commits_late_is_not_passed_over(
    container: CommonContainer, settings: CommonSettings, owner: Owner, watcher: Watcher
) -> None:
    """Window: jobs that were submitted later have run already when it commits, and nobody writes a hint for it."""
    slow = new_job(owner)
    async with running_worker(settings):
        async with container.sessions().begin() as db:
            await container.jobs().insert(db, [slow])
            await watcher.ended(await container.queue().submit(system_echo, HELLO, owner=owner))
        assert (await until_seen(container, slow, JobStatus.SUCCEEDED)).attempt == 1


async def test_a_kind_of_another_release_is_put_back_without_using_a_budget(
    container: CommonContainer, settings: CommonSettings, owner: Owner
) -> None:
    """Window: the api is newer than the worker."""
    job = new_job(owner, "future.kind")
    async with container.sessions().begin() as db:
        await container.jobs().insert(db, [job])
    async with running_worker(settings):
        row = await until_seen(container, job, JobStatus.QUEUED, "unknown_kind")
    assert (row.attempt, row.failures, row.crashes) == (1, 0, 0)
    assert row.run_at - row.updated_at > timedelta(seconds=20)
