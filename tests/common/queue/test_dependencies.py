"""Jobs that wait for others: they start after the last end, and share the fate of what failed if they say so."""

import asyncio

import pytest

from common.config import CommonSettings
from common.container import CommonContainer
from common.database.model import Job
from common.errors import InvalidError
from common.events import EventType
from common.ids import new_id
from common.jobs.system_echo import SystemEchoPayload, system_echo
from common.jobs.system_sleep import SystemSleepPayload, system_sleep
from common.queue.client import OnFailure, SubmitOptions
from common.queue.status import JobStatus
from common.repository.job import Owner
from tests.fixtures.workers import Watcher, running_worker

HELLO = SystemEchoPayload(message="hello")


async def sleep(container: CommonContainer, owner: Owner, seconds: float, *after: Job, **options: object) -> Job:
    choices = SubmitOptions(after=tuple(job.id for job in after), **options)  # type: ignore[arg-type]
    return await container.queue().submit(
        system_sleep, SystemSleepPayload(seconds=seconds), owner=owner, options=choices
    )


async def test_a_job_starts_after_the_last_of_those_it_waits_for(
    container: CommonContainer, settings: CommonSettings, owner: Owner, watcher: Watcher
) -> None:
    first = await sleep(container, owner, 0.2)
    second = await sleep(container, owner, 0.4)
    join = await sleep(container, owner, 0, first, second)
    last = await sleep(container, owner, 0, join)
    assert (join.pending_after, last.pending_after) == (2, 1)
    async with running_worker(settings):
        rows = [await watcher.ended(job) for job in (first, second, join, last)]
    assert {row.status for row in rows} == {JobStatus.SUCCEEDED}
    starts, ends = [row.started_at for row in rows], [row.finished_at for row in rows]
    assert all(ends)
    assert starts[2] >= max(ends[0], ends[1])  # type: ignore[operator,type-var]
    assert starts[3] >= ends[2]  # type: ignore[operator]
    rows = [await watcher.ended(row) for row in rows]
    assert not any(row.has_dependants or row.pending_after for row in rows)


async def test_an_end_before_the_submit_counts(
    container: CommonContainer, settings: CommonSettings, owner: Owner, watcher: Watcher
) -> None:
    async with running_worker(settings):
        first = await watcher.ended(await sleep(container, owner, 0))
        second = await sleep(container, owner, 0, first)
        assert second.pending_after == 0
        assert (await watcher.ended(second)).status == JobStatus.SUCCEEDED


@pytest.mark.parametrize(
    ("policy", "status", "code"),
    [
        (OnFailure.FAIL, JobStatus.FAILED, "dependency_failed"),
        (OnFailure.CANCEL, JobStatus.CANCELLED, "cancelled"),
        (OnFailure.RUN, JobStatus.SUCCEEDED, None),
    ],
)
@pytest.mark.parametrize("is_late", [False, True], ids=["before its end", "after its end"])
async def test_a_failed_dependency_has_the_wanted_effect_down_the_line(
    container: CommonContainer,
    settings: CommonSettings,
    owner: Owner,
    watcher: Watcher,
    policy: OnFailure,
    status: JobStatus,
    code: str | None,
    is_late: bool,
) -> None:
    parent = await sleep(container, owner, 0)
    if is_late:
        await container.queue().cancel(parent.id, owner)
    child = await sleep(container, owner, 0, parent, on_failure=policy)
    grandchild = await sleep(container, owner, 0, child, on_failure=policy)
    if not is_late:
        await container.queue().cancel(parent.id, owner)
    async with running_worker(settings):
        ended = [await watcher.ended(child), await watcher.ended(grandchild)]
        await watcher.until(child.id, f"job.{status}")
    for row, culprit in zip(ended, (parent, child), strict=True):
        assert row.status == status
        if code is not None:
            assert row.error is not None
            assert (row.error["code"], row.error["job_id"]) == (code, str(culprit.id))


async def test_a_job_that_waits_may_be_cancelled_and_queued_again(
    container: CommonContainer, settings: CommonSettings, owner: Owner, watcher: Watcher
) -> None:
    parent = await sleep(container, owner, 0.5)
    child = await sleep(container, owner, 0, parent)
    await container.queue().cancel(child.id, owner)
    retried = await container.queue().retry(child.id, owner)
    assert retried.pending_after == 1
    async with running_worker(settings):
        row, before = await watcher.ended(child), await watcher.ended(parent)
    assert row.status == JobStatus.SUCCEEDED
    assert row.started_at is not None
    assert before.finished_at is not None
    assert row.started_at >= before.finished_at


async def test_nobody_can_wait_for_the_jobs_of_others(container: CommonContainer, owner: Owner) -> None:
    foreign = await sleep(container, Owner(owner.tenant_id, new_id()), 0)
    for missing in (foreign.id, new_id()):
        options = SubmitOptions(after=(missing,))
        with pytest.raises(InvalidError, match=f"job {missing} does not exist") as refused:
            await container.queue().submit(system_echo, HELLO, owner=owner, options=options)
        assert refused.value.path == ("body", "after", 0)


async def test_too_many_dependencies_name_the_setting(container: CommonContainer, owner: Owner) -> None:
    options = SubmitOptions(after=tuple(new_id() for _ in range(101)))
    with pytest.raises(InvalidError, match="MAX_DEPENDENCIES allows 100"):
        await container.queue().submit(system_echo, HELLO, owner=owner, options=options)


async def test_no_end_is_missed_while_dependants_are_submitted(
    container: CommonContainer, settings: CommonSettings, owner: Owner, watcher: Watcher
) -> None:
    """Parents end at any moment of their dependants' submits."""

    async def pair() -> Job:
        parent = await container.queue().submit(system_echo, HELLO, owner=owner)
        options = SubmitOptions(after=(parent.id,))
        return await container.queue().submit(system_echo, HELLO, owner=owner, options=options)

    async with running_worker(settings):
        children = await asyncio.gather(*(pair() for _ in range(100)))
        async with asyncio.timeout(60):
            rows = [await watcher.ended(child) for child in children]
    assert {row.status for row in rows} == {JobStatus.SUCCEEDED}
    assert EventType.FAILED not in {event.type for event in watcher.seen}
