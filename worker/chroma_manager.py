"""The vectors of all collections, in Chroma's server. Heavy to import: only `worker.document.store` does, late."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit
from uuid import UUID

import chromadb
import httpx
from chromadb.api import ClientAPI
from chromadb.config import Settings
from chromadb.errors import ChromaError, InvalidArgumentError, NotFoundError
from langchain_chroma import Chroma

from common.errors import PermanentError, TransientError
from worker.config import WorkerSettings

_THREADS = 8
_PAGE = 1000
_TIMEOUT = 60.0
_MAX_OPEN = 1000
_NOT_CONFIGURED = "no vector store is configured: set CHROMA_URL, or start `letuin up`"


@dataclass(frozen=True, slots=True)
class StoredPassage:
    """A passage with its vector. `metadata` holds only texts, numbers and booleans."""

    id: str
    text: str
    metadata: Mapping[str, Any]
    vector: Sequence[float]


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that is alike to a query; `score` is from 0 to 1."""

    id: str
    text: str
    metadata: Mapping[str, Any]
    score: float


class ChromaManager:
    """One client of Chroma's server, shared by everything in this process.

    Methods raise `TransientError` when the server does not answer, `PermanentError` for what it refuses. A collection
    is known by the id that Letuin gave it, never by a name that a user chose.
    """

    def __init__(self, settings: WorkerSettings) -> None:
        self._url = settings.chroma_url
        self._headers = settings.chroma_headers
        self._prefix = settings.chroma_prefix
        # A pool of its own: searches must not wait behind whatever else uses the loop's threads.
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="chroma")
        self._client: ClientAPI | None = None
        self._open: dict[UUID, _Store] = {}

    async def ensure(self, collection_id: UUID, tenant_id: UUID, model: str, dimension: int) -> None:
        """Make the collection if it is not there. Raises `PermanentError` when it holds vectors of another model."""
        metadata = {"tenant_id": str(tenant_id), "embedding_model": model, "embedding_dimension": dimension}

        def make(client: ClientAPI) -> Mapping[str, Any]:
            made = client.get_or_create_collection(
                self._name(collection_id),
                metadata=metadata,
                embedding_function=None,
                configuration={"hnsw": {"space": "cosine"}},
            )
            return made.metadata or {}

        found = await self._call(make)
        if any(found.get(name) != value for name, value in metadata.items()):
            raise PermanentError(
                f"the collection holds vectors of {found.get('embedding_model')} "
                f"({found.get('embedding_dimension')} dimensions), not of {model} ({dimension})"
            )

    async def upsert(self, collection_id: UUID, passages: Sequence[StoredPassage]) -> None:
        """Write passages; those that are there already are replaced."""

        def write(client: ClientAPI) -> None:
            self._store(client, collection_id).upsert(
                ids=[each.id for each in passages],
                vectors=[list(each.vector) for each in passages],
                metadatas=[dict(each.metadata) for each in passages],
                texts=[each.text for each in passages],
            )

        await self._twice(collection_id, write)

    async def search(
        self, collection_id: UUID, vector: Sequence[float], limit: int, where: Mapping[str, Any] | None
    ) -> list[Hit]:
        """The passages most alike to a vector, best first; none in a collection that was never written."""

        def ask(client: ClientAPI) -> list[Hit]:
            found = self._store(client, collection_id).similarity_search_by_vector_with_relevance_scores(
                list(vector), k=limit, filter=dict(where) if where else None
            )
            return [
                Hit(document.id or "", document.page_content, document.metadata, _score(distance))
                for document, distance in found
            ]

        return await self._read(collection_id, ask, [])

    async def vectors(
        self, collection_id: UUID, where: Mapping[str, Any]
    ) -> list[tuple[str, Mapping[str, Any], list[float]]]:
        """Ids, metadata and vectors of the passages that match."""

        def ask(client: ClientAPI) -> list[tuple[str, Mapping[str, Any], list[float]]]:
            found = self._store(client, collection_id).get(where=dict(where), include=["metadatas", "embeddings"])
            pairs = zip(found["ids"], found["metadatas"], found["embeddings"], strict=True)
            return [(each, metadata, [float(value) for value in vector]) for each, metadata, vector in pairs]

        return await self._read(collection_id, ask, [])

    async def scan(self, collection_id: UUID, offset: int) -> list[tuple[str, Mapping[str, Any]]]:
        """Ids and metadata of a thousand passages from `offset` on."""

        def ask(client: ClientAPI) -> list[tuple[str, Mapping[str, Any]]]:
            found = self._store(client, collection_id).get(limit=_PAGE, offset=offset, include=["metadatas"])
            return list(zip(found["ids"], found["metadatas"], strict=True))

        return await self._read(collection_id, ask, [])

    async def delete(self, collection_id: UUID, where: Mapping[str, Any]) -> None:
        """Remove the passages that match."""
        await self._read(collection_id, lambda client: self._store(client, collection_id).delete(where=where), None)

    async def drop(self, collection_id: UUID) -> None:
        """Remove a whole collection; one that is not there is no error."""
        self._open.pop(collection_id, None)
        await self._read(collection_id, lambda client: client.delete_collection(self._name(collection_id)), None)

    async def aclose(self) -> None:
        """Close the connections; calls that are still running fail."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._client is not None:
            for session in _sessions(self._client):
                session.close()

    def _name(self, collection_id: UUID) -> str:
        return f"{self._prefix}-{collection_id.hex}"

    def _store(self, client: ClientAPI, collection_id: UUID) -> "_Store":
        """One store a collection: looking it up costs a round trip."""
        store = self._open.get(collection_id)
        if store is None:
            if len(self._open) >= _MAX_OPEN:
                self._open.clear()
            store = _Store(self._name(collection_id), client=client, create_collection_if_not_exists=False)
            self._open[collection_id] = store
        return store

    async def _read[T](self, collection_id: UUID, ask: Callable[[ClientAPI], T], missing: T) -> T:
        """As `_twice`; `missing` for a collection that is gone."""
        try:
            return await self._twice(collection_id, ask)
        except _MissingError:
            return missing

    async def _twice[T](self, collection_id: UUID, ask: Callable[[ClientAPI], T]) -> T:
        """As `_call`; a collection that is gone, or was made anew, is looked up once more."""
        try:
            return await self._call(ask)
        except _MissingError:
            self._open.pop(collection_id, None)
        try:
            return await self._call(ask)
        except _MissingError:
            self._open.pop(collection_id, None)
            raise

    async def _call[T](self, work: Callable[[ClientAPI], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._guarded, work)

    def _guarded[T](self, work: Callable[[ClientAPI], T]) -> T:
        """Runs in a thread."""
        try:
            return work(self._connect())
        except NotFoundError as error:
            raise _MissingError("the vector store has no such collection") from error
        except (InvalidArgumentError, ValueError) as error:
            raise PermanentError(f"the vector store refuses this: {str(error)[:200]}") from error
        except (ChromaError, httpx.HTTPError, OSError) as error:
            raise TransientError(f"the vector store does not answer ({type(error).__name__})") from error

    def _connect(self) -> ClientAPI:
        if self._client is not None:
            return self._client
        if self._url is None:
            raise PermanentError(_NOT_CONFIGURED)
        parts = urlsplit(self._url)
        is_tls = parts.scheme == "https"
        try:
            self._client = chromadb.HttpClient(
                host=parts.hostname or "",
                port=parts.port or (443 if is_tls else 80),
                ssl=is_tls,
                headers=self._headers,
                settings=Settings(anonymized_telemetry=False),
            )
        except ValueError as error:
            raise TransientError("the vector store does not answer") from error
        for session in _sessions(self._client):
            session.timeout = _TIMEOUT
        return self._client


class _MissingError(TransientError):
    """A write found no collection: it is made by the next attempt."""


class _Store(Chroma):
    """A collection as langchain knows it, which can also be given vectors that are there already."""

    def upsert(
        self,
        ids: list[str],
        vectors: Sequence[Sequence[float]],
        metadatas: list[dict[str, Any]],
        texts: list[str],
    ) -> None:
        """Write passages; those that are there already are replaced."""
        self._collection.upsert(ids=ids, embeddings=list(vectors), metadatas=list(metadatas), documents=texts)


def _sessions(client: ClientAPI) -> list[httpx.Client]:
    """The connections of a client, which by itself would wait for ever and never close them."""
    whole = cast(Any, client)
    return [whole._server._session, whole._admin_client._server._session]


def _score(distance: float) -> float:
    """From the cosine distance, 0 (the same) to 2 (the opposite): the cosine, and 0 for what points away."""
    return round(min(max(1.0 - float(distance), 0.0), 1.0), 6)
