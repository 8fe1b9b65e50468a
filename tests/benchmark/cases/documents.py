"""What a document costs beside its vectors alone, and a search beside a bare query of Chroma."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from statistics import median
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
_ROUNDS = 4
_BARE = 4 * _BATCH
_TOOK = "SELECT extract(epoch FROM finished_at - {}) FROM jobs WHERE kind = $1 AND status = 'succeeded' ORDER BY id"
_OPEN = "SELECT count(*) FROM jobs WHERE finished_at IS NULL"
_PASSAGES = "SELECT passage_count FROM document_versions ORDER BY id DESC LIMIT 1"


class Documents(Case):
    """One worker process, the packaged model; the bare figures use the same model and the same collection."""

    name = "documents"
    title = "Documents"
    figures = (
        Figure("ingested", "passages/s", is_main=True, more_is_better=True),
        Figure("bare embedding", "passages/s"),
        Figure("share", "%", more_is_better=True),
        Figure("worker CPU", "ms/passage"),
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
            ingested = await self._ingest(worker, count // _ROUNDS)
            searched = await self._search(worker, searches)
        return {**ingested, **searched}

    async def _ingest(self, worker: WorkerProcess, count: int) -> Figures:
        """In turns with the bare model, so that whatever else is busy on the machine meets both."""
        await self._submit_document(_paragraphs(_BATCH))  # loads the worker's model
        await self._until_done(worker)
        rates, bare_rates, cpu = [], [], 0.0
        texts = _paragraphs(min(count, _BARE))
        for _ in range(_ROUNDS):
            before = worker.cpu_seconds()
            await self._submit_document(_paragraphs(count))
            await self._until_done(worker)
            cpu += worker.cpu_seconds() - before
            rates.append(
                await self.database.fetchval(_PASSAGES) / (await self._took("document.ingest", "started_at"))[-1]
            )
            bare_rates.append(max([await _bare_rate(threads, texts) for threads in {1, os.cpu_count() or 1}]))
        return {
            "ingested": median(rates),
            "bare embedding": median(bare_rates),
            "share": median(rate / alone * 100 for rate, alone in zip(rates, bare_rates, strict=True)),
            "worker CPU": cpu / (count * _ROUNDS) * 1000,
        }

    async def _search(self, worker: WorkerProcess, searches: int) -> Figures:
        bare = await asyncio.to_thread(_BareQuery, self.chroma_url, self.collection_id, searches)
        for number in range(searches):
            payload = CollectionSearchPayload(collection_id=self.collection_id, query=_sentence(number))
            await self.container.queue().submit(collection_search, payload, owner=self.owner)
            await self._until_done(worker)
            await asyncio.to_thread(bare.ask, number)
        found = await self._took("collection.search", "created_at")
        return {"search p50": median(found) * 1000, "bare query p50": median(bare.took) * 1000}

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


async def _bare_rate(threads: int, texts: Sequence[str]) -> float:
    """The model alone, whose matrix library uses so many threads, texts/s."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.benchmark.bare_model", str(_BATCH)),
        stdin=PIPE,
        stdout=PIPE,
        env={**os.environ, "OPENBLAS_NUM_THREADS": str(threads)},
    )
    printed, _ = await process.communicate("\n".join(texts).encode())
    return float(printed)


class _BareQuery:
    """Queries whose vectors are there already, and the seconds that each took."""

    def __init__(self, url: str, collection_id: UUID, count: int) -> None:
        parts = urlsplit(url)
        settings = Settings(anonymized_telemetry=False)
        client = chromadb.HttpClient(parts.hostname or "", parts.port or 0, settings=settings)
        self._collection = client.get_collection(f"letuin-{collection_id.hex}", embedding_function=None)
        vectors = self._collection.get(limit=count, include=["embeddings"])["embeddings"]
        assert vectors is not None
        self._vectors = [[float(value) for value in vector] for vector in vectors]
        self.took: list[float] = []

    def ask(self, number: int) -> None:
        asked: list[Sequence[float] | Sequence[int]] = [self._vectors[number % len(self._vectors)]]
        started = now()
        self._collection.query(query_embeddings=asked, n_results=5)
        self.took.append(now() - started)


async def _one(content: bytes) -> AsyncIterator[bytes]:
    yield content
