"""One content replaces another in one step, and nothing is left behind."""

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import chromadb
from chromadb.config import Settings
from sqlalchemy import text

from common.config import CommonSettings
from common.container import CommonContainer
from tests.document.conftest import Library
from tests.fixtures.workers import running_worker


def edition(number: int) -> bytes:
    """A document whose every passage names its edition."""
    return "\n\n".join(f"Edition {number}, rule {rule}: keep the harbour clean. " * 8 for rule in range(25)).encode()


async def test_searches_see_one_edition_or_the_other(library: Library) -> None:
    await library.add("rules.txt", edition(1))
    seen: list[set[str]] = []
    is_done = asyncio.Event()

    async def search_on() -> None:
        while not is_done.is_set():
            found = await library.search("rules of the harbour", limit=10)
            assert len(found) == 10
            seen.append({each["text"].split(",")[0] for each in found})

    searching = [asyncio.create_task(search_on()) for _ in range(2)]
    for number in (2, 3):
        await library.add("rules.txt", edition(number))
    is_done.set()
    await asyncio.gather(*searching)
    assert all(len(each) == 1 for each in seen), seen
    assert {"Edition 3"} in [*seen, {each["text"].split(",")[0] for each in await library.search("rules")}]


async def test_what_is_replaced_or_deleted_is_removed(
    empty: Library, settings: CommonSettings, container: CommonContainer, worker_options: dict[str, Any]
) -> None:
    quick = {"document_cleanup_delay": 0, "document_cleanup_interval": 0.1}
    async with running_worker(settings, **worker_options, **quick):
        first = await empty.add("rules.txt", edition(1))
        assert await empty.add("rules.txt", edition(1)) == first
        second = await empty.add("rules.txt", edition(2))
        assert (second["id"], second["version"], second["active_version"]) == (first["id"], 2, 2)
        other = await empty.add("other.txt", b"Only the gulls are loud.")
        await until_left(container, empty, contents=2)
        assert files(worker_options["data_dir"]) == 2
        assert vectors(worker_options["chroma_url"], empty) == second["passages"] + other["passages"]

        place = f"{empty.path}/documents/{first['id']}"
        assert [(await empty.http.delete(place)).status_code for _ in range(2)] == [204, 204]
        assert await empty.names("rules of the harbour") == ["other.txt"]
        assert (await empty.http.get(place)).status_code == 404
        await until_left(container, empty, contents=1)
        assert vectors(worker_options["chroma_url"], empty) == other["passages"]

        assert (await empty.http.delete(empty.path)).status_code == 204
        assert (await empty.http.post(f"{empty.path}/search", json={"query": "x"})).status_code == 404
        await until_left(container, empty, contents=0)
    assert files(worker_options["data_dir"]) == 0


async def until_left(container: CommonContainer, library: Library, *, contents: int) -> None:
    sql = text("SELECT count(*) FROM document_versions WHERE collection_id = :id AND cleaned_at IS NULL")
    async with asyncio.timeout(60):
        while True:
            async with container.engine().connect() as db:
                left = (await db.execute(sql, {"id": library.collection_id})).scalar_one()
            if left == contents:
                return
            await asyncio.sleep(0.05)


def files(data_dir: Path) -> int:
    return sum(path.is_file() for path in (data_dir / "files").rglob("*"))


def vectors(url: str, library: Library) -> int:
    parts = urlsplit(url)
    client = chromadb.HttpClient(parts.hostname or "", parts.port or 0, settings=Settings(anonymized_telemetry=False))
    name = f"letuin-{library.collection_id.replace('-', '')}"
    try:
        return client.get_collection(name, embedding_function=None).count()
    finally:
        whole: Any = client
        for each in (whole, whole._admin_client):  # whose connections nothing else closes
            each._server._session.close()
