"""What happens to an ingestion whose document goes, and to a collection whose worker makes other vectors."""

from typing import Any
from uuid import UUID

import pytest

from common.config import CommonSettings
from common.container import CommonContainer
from common.errors import PermanentError
from common.ids import new_id
from common.jobs.document_clean import DocumentCleanPayload, document_clean
from common.repository.job import Owner
from tests.document.conftest import Library, open_library
from tests.document.test_ingest import until_begun
from tests.document.test_replacing import files, until_left, vectors
from tests.fixtures.provider import Provider
from tests.fixtures.workers import Watcher, running_worker, worker_settings
from worker.chroma_manager import ChromaManager

SHIPS = "\n\n".join(f"Paragraph {number} tells of ship {number} and its harbour. " * 6 for number in range(400))


async def test_what_is_deleted_while_it_is_ingested_is_never_found(
    empty: Library,
    settings: CommonSettings,
    container: CommonContainer,
    owner: Owner,
    watcher: Watcher,
    worker_options: dict[str, Any],
) -> None:
    gone = await open_library(empty.http)
    quick = {"document_cleanup_delay": 0, "document_cleanup_interval": 0.1}
    async with running_worker(settings, **worker_options, **quick):
        jobs = []
        for library in (empty, gone):
            accepted = await library.upload("ships.txt", SHIPS.encode())
            await until_begun(library, accepted["job"]["id"])
            path = f"{library.path}/documents/{accepted['document']['id']}" if library is empty else library.path
            assert (await library.http.delete(path)).status_code == 204
            jobs.append(accepted["job"]["id"])
        ends = [await empty.ended(job_id) for job_id in jobs]
        found = await empty.search("ship")
        for library in (empty, gone):
            await until_left(container, library, contents=0)
        sweep = DocumentCleanPayload(sweep=True)
        await watcher.ended(await container.queue().submit(document_clean, sweep, owner=owner))

    # Either it was seen at the end, or there was nothing to write to any more.
    assert {job["status"] for job in ends} <= {"succeeded", "failed"}
    assert not any((job["result"] or {}).get("found") for job in ends)
    assert (found, vectors(worker_options["chroma_url"], empty), files(worker_options["data_dir"])) == ([], 0, 0)


async def test_vectors_of_another_model_or_dimension_are_refused(
    empty: Library, settings: CommonSettings, worker_options: dict[str, Any], provider: Provider
) -> None:
    hosted = {**worker_options, "openai_base_url": provider.url, "openai_api_key": "a-key-of-this-test"}
    others = (
        ({**worker_options, "openai_api_key": None, "openai_base_url": None}, "which gives no vectors here"),
        ({**hosted, "embedding_dimensions": 64}, "(3072 dimensions)"),
    )
    async with running_worker(settings, **hosted):
        await empty.add("pier.txt", b"The pier is forty metres long.")
    for number, (options, words) in enumerate(others):
        async with running_worker(settings, **options):
            accepted = await empty.upload(f"{number}.txt", b"Something else.")
            job = await empty.ended(accepted["job"]["id"])
            asked = await empty.http.post(f"{empty.path}/search", json={"query": "pier"})
        assert (job["error"]["code"], words in job["error"]["message"]) == ("permanent", True), job["error"]
        assert (asked.status_code, "vectors of 3072" in asked.text or words in asked.text) == (409, True), asked.text
    manager = ChromaManager(worker_settings(settings, chroma_url=worker_options["chroma_url"]))
    with pytest.raises(PermanentError, match="holds vectors of text-embedding-3-large"):
        await manager.ensure(UUID(empty.collection_id), new_id(), "another", 3072)
    await manager.aclose()
