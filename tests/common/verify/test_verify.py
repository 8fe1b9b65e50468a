"""`letuin verify`: seeded corruptions are found, mended, and gone; what is sound is left alone, also under load."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import httpx2
import pytest
from sqlalchemy import text

from common.config import CommonSettings
from common.container import CommonContainer
from common.ids import new_id
from common.jobs.system_echo import system_echo
from common.queue.client import SubmitOptions
from common.queue.status import JobStatus
from common.repository.job import Owner
from common.repository.log import RequestLogRepository
from common.verify.check import Stores
from tests.common.verify.harms import HARMS, PAYLOAD, Ground, lose_lease, miscount, misrank
from tests.fixtures import stores as fixtures
from tests.fixtures.letuin import letuin
from tests.fixtures.mongo import connected
from tests.fixtures.workers import Watcher, running_worker


@pytest.fixture
def settings(stores: fixtures.Stores, tmp_path: Path) -> CommonSettings:
    """With a data folder of the test's own."""
    urls = {"database_url": stores.database_url, "redis_url": stores.redis_url}
    return CommonSettings.model_validate({"environment": "test", "data_dir": tmp_path / "data", **urls})


@pytest.fixture
async def ground(container: CommonContainer, owner: Owner, settings: CommonSettings) -> Ground:
    job = await container.queue().submit(system_echo, PAYLOAD, owner=owner)
    return Ground(container, owner, Stores(settings, container, {}), job.id)


@pytest.mark.parametrize("name", HARMS)
async def test_a_seeded_corruption_is_found_and_mended(ground: Ground, name: str) -> None:
    sound = {await ground.submit(), await ground.submit(delay=timedelta(seconds=60), priority=3)}
    sound.add(await ground.submit(after=tuple(sound)))
    assert all(finding.is_sound for finding in (await ground.verify()).values()), "sound stores have no problems"
    await HARMS[name](ground)
    before = await whole(ground, sound)

    found = await ground.verify()
    mended = await ground.verify(mends=True)
    after = await ground.verify()

    assert [each for each, finding in found.items() if not finding.is_sound] == [name]
    assert mended[name].problems
    assert mended[name].left == []
    assert not [each for each, finding in after.items() if finding.problems]
    assert await whole(ground, sound) == before, "what is sound is left alone"


async def whole(ground: Ground, ids: set[UUID]) -> list[str]:
    async with ground.container.sessions()() as db:
        rows = await db.execute(
            text("SELECT jobs::text FROM jobs WHERE id = ANY(:ids) ORDER BY id"), {"ids": list(ids)}
        )
        return list(rows.scalars())


async def test_a_mended_job_ends(ground: Ground, settings: CommonSettings, watcher: Watcher) -> None:
    """Each of these would have kept its job from ever ending, also with workers that live."""
    lost, miscounted, forgotten, parent = [await ground.submit() for _ in range(4)]
    child = await ground.submit(after=(parent,))
    for job_id, harm in ((lost, lose_lease), (miscounted, miscount), (forgotten, misrank)):
        await harm(Ground(ground.container, ground.owner, ground.stores, job_id))
    await ground.sql(
        "UPDATE jobs SET status = 'succeeded', finished_at = now(), has_dependants = false WHERE id = :parent",
        parent=parent,
    )
    await ground.container.redis().flushdb()
    await ground.verify(mends=True)
    async with running_worker(settings):
        for job_id in (lost, miscounted, forgotten, child):
            async with ground.container.sessions()() as db:
                job = await ground.container.jobs().get(db, job_id, ground.owner)
            assert (await watcher.ended(job)).status == JobStatus.SUCCEEDED


async def test_a_running_system_is_sound(ground: Ground, settings: CommonSettings, watcher: Watcher) -> None:
    async with running_worker(settings, worker_concurrency=20):
        jobs = [await ground.container.queue().submit(system_echo, PAYLOAD, owner=ground.owner) for _ in range(200)]
        parents = tuple(job.id for job in jobs[-5:])
        jobs.append(
            await ground.container.queue().submit(
                system_echo, PAYLOAD, owner=ground.owner, options=SubmitOptions(after=parents)
            )
        )
        found = await asyncio.gather(*(ground.verify(mends=True) for _ in range(3)))
        rows = [await watcher.ended(job) for job in jobs]
    assert not [finding for each in found for finding in each.values() if finding.problems]
    assert {(row.status, row.attempt) for row in rows} == {(JobStatus.SUCCEEDED, 1)}


async def test_a_request_log_without_its_indexes_gets_them_back(ground: Ground, mongodb_url: str) -> None:
    logs = RequestLogRepository.open(mongodb_url, retention=timedelta(days=30))
    await logs.prepare()
    await logs.close()
    settings = CommonSettings.model_validate({**ground.stores.settings.model_dump(), "mongodb_url": mongodb_url})
    harmed = Ground(ground.container, ground.owner, Stores(settings, ground.container, {}), ground.job_id)
    assert (await harmed.verify())["request-log-indexes"].is_sound
    async with connected(mongodb_url) as database:
        await database["request_log"].drop_indexes()
    assert len((await harmed.verify())["request-log-indexes"].problems) == 4
    assert (await harmed.verify(mends=True))["request-log-indexes"].left == []
    assert not (await harmed.verify())["request-log-indexes"].problems


async def test_vectors_of_no_collection_go(ground: Ground, chroma_url: str) -> None:
    settings = ground.stores.settings.model_copy(update={"chroma_url": chroma_url})
    prefix = f"verify-{new_id().hex[:8]}"
    harmed = Ground(
        ground.container, ground.owner, Stores(settings, ground.container, {"CHROMA_PREFIX": prefix}), ground.job_id
    )
    collections = "/api/v2/tenants/default_tenant/databases/default_database/collections"
    async with httpx2.AsyncClient(base_url=chroma_url, trust_env=False) as http:
        for name in (f"{prefix}-{new_id().hex}", f"{prefix}-of-others"):
            (await http.post(collections, json={"name": name})).raise_for_status()
        assert len((await harmed.verify())["vectors"].problems) == 1
        assert (await harmed.verify(mends=True))["vectors"].left == []
        assert not (await harmed.verify())["vectors"].problems
        left = [each["name"] for each in (await http.get(collections)).json() if each["name"].startswith(prefix)]
    assert left == [f"{prefix}-of-others"]


async def test_the_command_tells_and_mends(ground: Ground, stores: fixtures.Stores, tmp_path: Path) -> None:
    async def run(*arguments: str, **env: str) -> tuple[int, str]:
        command = ("verify", "--settle", "0", *arguments)
        done = await asyncio.to_thread(letuin, *command, folder=tmp_path, env={**stores.environment, **env})
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout

    await misrank(ground)
    code, told = await run("--json")
    [ranks] = [check for check in json.loads(told)["checks"] if check["name"] == "ranks"]
    assert (code, json.loads(told)["is_sound"], ranks["store"], len(ranks["problems"])) == (1, False, "PostgreSQL", 1)
    code, told = await run()
    assert (code, f"job {ground.job_id} has the rank" in told, "letuin verify --repair" in told) == (1, True, True)
    code, told = await run("--repair")
    assert (code, "mended  ranks" in told) == (0, True)
    assert (await run(REDIS_URL="redis://127.0.0.1:1/0"))[0] == 3
