"""Submitting: the row is committed before anything else, and Redis only hears of it."""

import asyncio

import pytest
from pydantic_core import from_json

from common.container import CommonContainer
from common.errors import ConflictError, NotFoundError, TooLargeError
from common.events import EventType
from common.ids import new_id
from common.jobs.system_echo import SystemEchoPayload, system_echo
from common.queue.client import CancelOutcome
from common.queue.status import JobStatus
from common.repository.job import Owner

HELLO = SystemEchoPayload(message="hello")


async def test_submit_commits_a_row_and_leaves_a_hint_in_arqs_layout(container: CommonContainer, owner: Owner) -> None:
    job = await container.queue().submit(system_echo, HELLO, owner=owner)

    async with container.sessions()() as db:
        row = await container.jobs().find(db, job.id, owner)
    assert row is not None
    assert (row.status, row.attempt, row.payload) == (JobStatus.QUEUED, 0, {"message": "hello"})
    redis, keys = container.redis(), container.keys()
    assert await redis.zrange(keys.queue("default"), 0, -1) == [str(job.id).encode()]
    body = from_json(await redis.get(keys.hint(str(job.id))))
    assert (body["f"], body["a"], body["k"]) == ("system.echo", [str(job.id), 1], {})


async def test_concurrent_submits_share_statements_and_keep_their_own_outcome(
    container: CommonContainer, owner: Owner
) -> None:
    payloads = [SystemEchoPayload(message=str(number)) for number in range(300)]
    jobs = await asyncio.gather(*(container.queue().submit(system_echo, p, owner=owner) for p in payloads))
    assert [job.payload["message"] for job in jobs] == [str(number) for number in range(300)]


async def test_the_first_event_is_queued_with_number_one(container: CommonContainer, owner: Owner) -> None:
    job = await container.queue().submit(system_echo, HELLO, owner=owner)
    page = await container.events().read(job.id)
    assert [(event.seq, event.type) for event in page.events] == [(1, EventType.QUEUED)]
    assert page.recovered


async def test_a_payload_over_the_limit_names_the_setting_and_leaves_no_row(
    container: CommonContainer, owner: Owner
) -> None:
    big = SystemEchoPayload.model_construct(message="x" * 300_000)
    with pytest.raises(TooLargeError, match="MAX_PAYLOAD_BYTES allows 262144"):
        await container.queue().submit(system_echo, big, owner=owner)


async def test_cancel_of_a_queued_job_is_final_and_idempotent(container: CommonContainer, owner: Owner) -> None:
    queue = container.queue()
    job = await queue.submit(system_echo, HELLO, owner=owner)
    first = await queue.cancel(job.id, owner)
    assert (first.outcome, first.job.status) == (CancelOutcome.CANCELLED, JobStatus.CANCELLED)
    again = await queue.cancel(job.id, owner)
    assert again.outcome is CancelOutcome.CANCELLED
    page = await container.events().read(job.id)
    assert [event.type for event in page.events] == [EventType.QUEUED, EventType.CANCELLED]


async def test_a_cancelled_job_can_be_queued_again_by_its_owner(container: CommonContainer, owner: Owner) -> None:
    queue = container.queue()
    job = await queue.submit(system_echo, HELLO, owner=owner)
    with pytest.raises(ConflictError, match="is queued"):
        await queue.retry(job.id, owner)
    await queue.cancel(job.id, owner)
    retried = await queue.retry(job.id, owner)
    assert retried.status == JobStatus.QUEUED
    page = await container.events().read(job.id)
    assert [event.type for event in page.events] == [EventType.QUEUED, EventType.CANCELLED, EventType.QUEUED]


async def test_somebody_elses_job_looks_like_none(container: CommonContainer, owner: Owner) -> None:
    job = await container.queue().submit(system_echo, HELLO, owner=owner)
    stranger = Owner(tenant_id=owner.tenant_id, user_id=new_id())
    for job_id, who in ((job.id, stranger), (new_id(), owner)):
        with pytest.raises(NotFoundError, match=f"job {job_id} does not exist"):
            await container.queue().cancel(job_id, who)
