"""Documents through the whole of Letuin: the api, a worker, PostgreSQL, Chroma and the packaged embedding model."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from common.config import CommonSettings
from common.ids import new_id
from tests.api.conftest import build_settings, connect  # noqa: F401  fixtures
from tests.fixtures.workers import running_worker

EXAMPLES = Path(__file__).parents[2] / "examples" / "documents"
ENGLISH = EXAMPLES / "library-handbook.en.pdf"
KOREAN = EXAMPLES / "office-handbook.ko.pdf"
LEASE = {"lease_duration": 30, "heartbeat_interval": 2}
"""Long enough for a busy machine."""


@dataclass
class Library:
    """A client with one collection."""

    http: httpx2.AsyncClient
    collection_id: str

    @property
    def path(self) -> str:
        return f"/api/v1/collections/{self.collection_id}"

    async def post(self, name: str, content: bytes, **fields: str) -> httpx2.Response:
        """Upload a document."""
        files = {"file": (name, content, "application/octet-stream")}
        return await self.http.post(f"{self.path}/documents", files=files, data=fields)

    async def upload(self, name: str, content: bytes, **fields: str) -> dict[str, Any]:
        """Upload a document that is taken."""
        answer = await self.post(name, content, **fields)
        assert answer.status_code == 202, answer.text
        accepted: dict[str, Any] = answer.json()
        return accepted

    async def add(self, name: str, content: bytes, **fields: str) -> dict[str, Any]:
        """Upload a document and wait until it can be found."""
        accepted = await self.upload(name, content, **fields)
        job = await self.ended(accepted["job"]["id"])
        assert job["status"] == "succeeded", job["error"]
        return await self.document(accepted["document"]["id"])

    async def ended(self, job_id: str) -> dict[str, Any]:
        """The job once it has ended."""
        while True:
            answer = await self.http.get(f"/api/v1/jobs/{job_id}", headers={"Prefer": "wait=20"})
            job: dict[str, Any] = answer.json()
            if job["status"] not in ("queued", "running"):
                return job

    async def document(self, document_id: str) -> dict[str, Any]:
        """The document as the api shows it."""
        found: dict[str, Any] = (await self.http.get(f"{self.path}/documents/{document_id}")).json()
        return found

    async def search(self, query: str, **more: Any) -> list[dict[str, Any]]:
        """The passages of a search that goes well."""
        answer = await self.http.post(f"{self.path}/search", json={"query": query, **more})
        assert answer.status_code == 200, answer.text
        passages: list[dict[str, Any]] = answer.json()["passages"]
        return passages

    async def names(self, query: str, **more: Any) -> list[str]:
        """The names of the documents that a search finds, best first, each once."""
        return list(dict.fromkeys(each["document_name"] for each in await self.search(query, **more)))

    async def submit(self, kind: str, **payload: Any) -> dict[str, Any]:
        """A job about this collection, once it has ended."""
        body = {"kind": kind, "payload": {"collection_id": self.collection_id, **payload}}
        job = (await self.http.post("/api/v1/jobs", json=body)).json()
        return await self.ended(job["id"])


@pytest.fixture
def worker_options(chroma_url: str, tmp_path: Path) -> dict[str, Any]:
    """What a worker needs for documents."""
    return {"chroma_url": chroma_url, "data_dir": tmp_path / "data", "worker_queues": "documents,llm,default", **LEASE}


@pytest.fixture
async def http(connect: Callable[..., Any]) -> AsyncIterator[httpx2.AsyncClient]:  # noqa: F811
    """The api as the local user, beside whatever worker a test starts."""
    async with connect() as client:
        yield client


@pytest.fixture
async def empty(http: httpx2.AsyncClient) -> Library:
    """A new collection."""
    return await open_library(http)


@pytest.fixture
async def library(empty: Library, settings: CommonSettings, worker_options: dict[str, Any]) -> AsyncIterator[Library]:
    """A new collection, and a worker that serves it."""
    async with running_worker(settings, **worker_options):
        yield empty


async def open_library(http: httpx2.AsyncClient, **headers: str) -> Library:
    """A new collection of whoever the client is."""
    made = await http.post("/api/v1/collections", json={"name": f"books {new_id()}"}, headers=headers)
    assert made.status_code == 201, made.text
    return Library(http, made.json()["id"])
