"""Chroma's server dies in the middle of an upsert and under a search. It is this file's own server."""

import asyncio
import socket
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import pytest

from common.config import CommonSettings
from common.embedded.chroma import build_chroma
from tests.document.conftest import Library
from tests.document.test_ingest import until_begun
from tests.fixtures.workers import running_worker, worker_settings
from worker.chroma_manager import ChromaManager

QUEUE = "/api/v1/ops/queues/documents"


class Server:
    """A Chroma server that can be killed and comes back at the same address with the same files."""

    def __init__(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            server = build_chroma(folder, probe.getsockname()[1])
        self.url, self._spec = server.url, server.spec
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when it answers."""
        quiet = subprocess.DEVNULL
        argv, env = self._spec.argv, self._spec.env
        assert not callable(argv)
        assert not callable(env)
        self._process = subprocess.Popen(argv, env=env, cwd=self._spec.cwd, stdout=quiet, stderr=quiet)
        while True:
            try:
                if httpx2.get(f"{self.url}/api/v2/heartbeat", timeout=5, trust_env=False).is_success:
                    return
            except httpx2.TransportError:
                assert self._process.poll() is None, "Chroma did not start"

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@pytest.fixture(scope="module")
def chroma(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("chroma"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def chroma_url(chroma: Server) -> str:
    """Instead of the session's server."""
    return chroma.url


async def test_an_upsert_and_a_search_outlive_the_server(
    empty: Library, settings: CommonSettings, worker_options: dict[str, Any], chroma: Server
) -> None:
    text = "\n\n".join(f"Paragraph {number} tells of ship {number} and its harbour. " * 6 for number in range(1200))
    accepted = await empty.upload("ships.txt", text.encode())
    search = f"{empty.path}/search"
    async with running_worker(settings, **worker_options, worker_poll_interval=0.2):
        await until_begun(empty, accepted["job"]["id"])
        chroma.kill()
        await until_failed(empty, accepted["job"]["id"])
        # However long the server takes to come back, the attempts that are left wait for it.
        assert (await empty.http.post(f"{QUEUE}/pause")).is_success
        hidden = await empty.document(accepted["document"]["id"])
        await asyncio.to_thread(chroma.start)
        assert (await empty.http.post(f"{QUEUE}/resume")).is_success
        job = await empty.ended(accepted["job"]["id"])
        found = await empty.search("ship", limit=50)
        manager = ChromaManager(worker_settings(settings, chroma_url=chroma.url))
        kept = Counter([id_ async for id_ in ids(manager, UUID(empty.collection_id))])
        await manager.aclose()
        chroma.kill()
        away = await empty.http.post(search, json={"query": "ship"}, headers={"Prefer": "wait=30"})

    assert hidden["active_version"] is None
    assert (job["status"], job["failures"] > 0) == ("succeeded", True), job["error"]
    assert (len(kept), set(kept.values())) == (job["result"]["passages"], {1})
    assert (await empty.document(accepted["document"]["id"]))["passages"] == job["result"]["passages"]
    assert (away.status_code, away.json()["code"], "Retry-After" in away.headers) == (503, "unavailable", True)
    assert "the vector store does not answer" in away.json()["detail"]
    assert len({each["index"] for each in found}) == 50


async def until_failed(library: Library, job_id: str) -> None:
    """Until an attempt has ended without success."""
    async with asyncio.timeout(60):
        while True:
            attempts = (await library.http.get(f"/api/v1/jobs/{job_id}/attempts")).json()["items"]
            if attempts:
                return
            await asyncio.sleep(0.05)


async def ids(manager: ChromaManager, collection_id: UUID) -> Any:
    """Of every passage that Chroma holds."""
    offset = 0
    while page := await manager.scan(collection_id, offset):
        for id_, _ in page:
            yield id_
        offset += len(page)
