"""Chroma was emptied: searches say so, and `letuin verify --repair` has the vectors made again."""

from typing import Any
from uuid import UUID

from common.config import CommonSettings
from common.container import CommonContainer
from common.verify.check import Stores, find_checks
from common.verify.verifier import verify
from tests.document.conftest import Library
from tests.fixtures.workers import running_worker, worker_settings
from tests.security.members import MakeMember, make_member  # noqa: F401  a fixture
from worker.chroma_manager import ChromaManager

NAMES = {"lighthouse.txt": b"The lighthouse was built in 1873.", "pier.txt": b"The pier is forty metres long."}


async def test_lost_vectors_are_told_and_made_again(
    empty: Library,
    settings: CommonSettings,
    container: CommonContainer,
    worker_options: dict[str, Any],
    make_member: MakeMember,  # noqa: F811
) -> None:
    stores = Stores(settings.model_copy(update={"chroma_url": worker_options["chroma_url"]}), container, {})

    async def problems(*, mends: bool = False) -> list[str]:
        [check] = [each for each in find_checks() if each.name == "passages"]
        [found] = await verify([check], stores, mends=mends, settle=0)
        assert (found.error, mends and found.left) in ((None, False), (None, [])), found
        return [each.detail for each in found.problems if empty.collection_id in each.detail]

    async with running_worker(settings, **worker_options):
        documents = [await empty.add(name, content) for name, content in NAMES.items()]
        assert await problems() == []
        assert (await empty.http.patch(empty.path, json={"visibility": "tenant"})).status_code == 200
        manager = ChromaManager(worker_settings(settings, chroma_url=worker_options["chroma_url"]))
        await manager.drop(UUID(empty.collection_id))
        await manager.aclose()
        for headers in ({}, (await make_member()).headers):
            lost = await empty.http.post(f"{empty.path}/search", json={"query": "lighthouse"}, headers=headers)
            assert (lost.status_code, "letuin verify --repair" in lost.json()["detail"]) == (409, True)
        assert len(await problems(mends=True)) == len(NAMES)
        for each in documents:
            job = await empty.ended((await empty.document(each["id"]))["job_id"])
            assert (job["status"], job["result"]["embedded"]) == ("succeeded", 1), job
        assert await empty.names("When was the lighthouse built?") == list(NAMES)
        assert await problems() == []
        after = [await empty.document(each["id"]) for each in documents]
    kept = ("id", "version", "active_version", "status", "passages")
    assert [[each[name] for name in kept] for each in after] == [[each[name] for name in kept] for each in documents]
