"""What is removed when its time is over, what stays, and what its owner hears; and results kept apart."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta

import httpx2
import pytest
from sqlalchemy import text

from api.config import ApiSettings
from api.main import create_app
from common.config import CommonSettings
from common.container import CommonContainer
from common.errors import GoneError
from common.ids import new_id
from common.jobs.system_echo import SystemEchoPayload, system_echo
from common.queue.client import SubmitOptions, Unique, UniqueMode
from common.queue.status import JobStatus
from common.repository.job import Owner
from common.repository.retention import RetentionRepository
from common.repository.user import DEFAULT_TENANT_ID, LOCAL_USER
from tests.api.conftest import running
from tests.fixtures.workers import Watcher, running_worker

HELLO = SystemEchoPayload(message="hello")
DAY, MONTH = timedelta(days=1), timedelta(days=30)


async def run(container: CommonContainer, statement: str, **values: object) -> None:
    async with container.sessions().begin() as db:
        await db.execute(text(statement), values)


async def count(container: CommonContainer, table: str) -> int:
    async with container.sessions()() as db:
        return int((await db.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one())


async def age(container: CommonContainer, days: int) -> None:
    """Make every ended job look as if it ended that long ago."""
    await run(container, "ALTER TABLE jobs DISABLE TRIGGER guard_job_transition")
    await run(
        container,
        "UPDATE jobs SET finished_at = now() - make_interval(days => :days) WHERE finished_at < now()",
        days=days,
    )
    await run(container, "ALTER TABLE jobs ENABLE TRIGGER guard_job_transition")


async def purge(container: CommonContainer, retentions: Mapping[str, timedelta], limit: int = 100) -> int:
    async with container.sessions().begin() as db:
        return await RetentionRepository().purge_jobs(db, retentions, default=MONTH, limit=limit)


async def test_ended_jobs_go_by_the_retention_of_their_kind(
    container: CommonContainer, settings: CommonSettings, owner: Owner, watcher: Watcher
) -> None:
    queue = container.queue()
    async with running_worker(settings):
        ended = [await queue.submit(system_echo, HELLO, owner=owner) for _ in range(3)]
        for job in ended:
            await watcher.ended(job)
    waiting = await queue.submit(system_echo, HELLO, owner=owner)
    await age(container, 2)
    assert await purge(container, {"system.echo": 3 * DAY}) == 0
    assert await purge(container, {"other.kind": DAY}) == 0
    assert await purge(container, {"system.echo": DAY}, limit=2) == 2
    assert await purge(container, {"system.echo": DAY}, limit=2) == 1
    assert (await count(container, "jobs"), await count(container, "attempts")) == (1, 0)
    with pytest.raises(GoneError, match="was purged"):
        await queue.cancel(ended[0].id, owner)
    await queue.cancel(waiting.id, owner)


async def test_kinds_that_no_release_knows_go_too(container: CommonContainer, owner: Owner) -> None:
    queue = container.queue()
    for kind in ("a.old", "z.old"):
        job = await queue.submit(system_echo, HELLO, owner=owner)
        await queue.cancel(job.id, owner)
        await run(container, "UPDATE jobs SET kind = :kind WHERE id = :id", kind=kind, id=job.id)
    await age(container, 31)
    assert await purge(container, {"system.echo": DAY}) == 2


async def test_a_job_that_others_wait_for_stays(container: CommonContainer, owner: Owner) -> None:
    queue = container.queue()
    parent = await queue.submit(system_echo, HELLO, owner=owner)
    await queue.submit(system_echo, HELLO, owner=owner, options=SubmitOptions(after=(parent.id,)))
    await queue.cancel(parent.id, owner)
    await age(container, 31)
    assert await purge(container, {}) == 0


async def test_the_worker_purges_and_the_owner_hears_410_for_a_while(
    container: CommonContainer, settings: CommonSettings, watcher: Watcher
) -> None:
    owner = Owner(DEFAULT_TENANT_ID, LOCAL_USER.id)
    job = await container.queue().submit(system_echo, HELLO, owner=owner)
    await container.queue().cancel(job.id, owner)
    await age(container, 365)
    async with running_worker(settings, purge_interval=0.1):
        async with asyncio.timeout(60):
            while await count(container, "jobs"):  # noqa: ASYNC110  a purge has no event
                await asyncio.sleep(0.05)
    values = {"environment": "test", "database_url": settings.database_url, "redis_url": settings.redis_url}
    app = create_app(ApiSettings.model_validate({**values, "jwt_secret": "an-honest-secret-of-more-than-32-bytes"}))
    async with (
        running(app) as ready,
        httpx2.AsyncClient(transport=httpx2.ASGITransport(ready), base_url="http://127.0.0.1") as client,
    ):
        for path, method in (("", "GET"), ("/cancel", "POST"), ("/retry", "POST")):
            answer = await client.request(method, f"/api/v1/jobs/{job.id}{path}")
            assert (answer.status_code, answer.json()["code"]) == (410, "gone")
    async with container.sessions().begin() as db:
        assert await RetentionRepository().forget_purged(db, DAY, limit=10) == 0
        await db.execute(text("UPDATE purged_jobs SET purged_at = purged_at - interval '2 days'"))
        assert await RetentionRepository().forget_purged(db, DAY, limit=10) == 1


async def test_keys_slots_and_batches_go_when_nobody_needs_them(container: CommonContainer, owner: Owner) -> None:
    queue, retention = container.queue(), RetentionRepository()
    options = SubmitOptions(unique=Unique(UniqueMode.WHILE_ACTIVE, "k"))
    job = await queue.submit(system_echo, HELLO, owner=owner, options=options)
    batch = (await queue.submit_many([], owner=owner)).batch
    await run(container, "UPDATE unique_slots SET keep_until = now()")
    await run(container, "UPDATE batches SET created_at = now() - interval '2 days'")
    async with container.sessions().begin() as db:
        assert await retention.purge_slots(db, limit=10) == 0
        assert await retention.purge_batches(db, DAY, limit=10) == 1
        assert await container.batches().find(db, batch.id, owner) is None
    await queue.cancel(job.id, owner)
    await run(container, "UPDATE unique_slots SET keep_until = now()")
    await run(
        container,
        "INSERT INTO idempotency_keys VALUES (:id, :id, 'r', 'k', 'f', NULL, NULL, NULL, now() - interval '1 s')",
        id=new_id(),
    )
    async with container.sessions().begin() as db:
        assert await retention.purge_slots(db, limit=10) == 1
        assert await retention.purge_keys(db, limit=10) == 1


@pytest.mark.parametrize("length", [10, 200_000])
async def test_a_large_result_is_kept_apart_and_shown_the_same(
    container: CommonContainer, settings: CommonSettings, owner: Owner, watcher: Watcher, length: int
) -> None:
    big = SystemEchoPayload.model_construct(message="é" * (length // 2))
    async with running_worker(settings, result_inline_bytes=1000):
        job = await container.queue().submit(system_echo, big, owner=owner)
        row = await watcher.ended(job)
    assert (row.status, row.result) == (JobStatus.SUCCEEDED, {"message": big.message})
    assert row.is_result_apart == (length > 1000)
    assert await count(container, "job_results") == int(length > 1000)
    await age(container, 31)
    assert await purge(container, {}) == 1
    assert await count(container, "job_results") == 0
