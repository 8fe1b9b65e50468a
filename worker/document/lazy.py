"""Documents as ports: built at first use, so that workers without such jobs never load Chroma's client."""

import asyncio
import importlib
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from common.database.session import Sessions
from common.documents.ports import CleanReport, IngestReport
from common.ports import CallOrigin, EmbeddingModel, Passage
from common.repository.job import Owner
from common.storage.base import FileStorage
from worker.config import WorkerSettings

if TYPE_CHECKING:
    from worker.document.store import Documents


class LazyDocuments:
    """The documents of this process; the first caller waits some seconds for the import."""

    def __init__(self, settings: WorkerSettings, engine: AsyncEngine, sessions: Sessions, storage: FileStorage) -> None:
        self._parts = settings, engine, sessions, storage
        self._documents: Documents | None = None
        self._building = asyncio.Lock()

    async def get(self) -> "Documents":
        """The one set of this process."""
        async with self._building:
            if self._documents is None:
                self._documents = await asyncio.to_thread(_build, *self._parts)
        return self._documents

    async def aclose(self) -> None:
        """Close what was built."""
        if self._documents is not None:
            await self._documents.chroma.aclose()


class BoundRetriever:
    """Implements `common.ports.Retriever` for one attempt."""

    def __init__(self, documents: LazyDocuments, embeddings: EmbeddingModel, origin: CallOrigin) -> None:
        self._documents = documents
        self._embeddings = embeddings
        self._owner = Owner(origin.tenant_id, origin.owner_id)

    async def retrieve(
        self, collection_id: UUID, query: str, *, limit: int = 5, where: Mapping[str, Any] | None = None
    ) -> list[Passage]:
        """See `Retriever.retrieve`."""
        documents = await self._documents.get()
        return await documents.searcher.search(
            self._owner, self._embeddings, collection_id, query, limit=limit, where=where
        )


class BoundDocuments:
    """Implements `common.ports.DocumentStore` for one attempt."""

    def __init__(self, documents: LazyDocuments, embeddings: EmbeddingModel, origin: CallOrigin) -> None:
        self._documents = documents
        self._embeddings = embeddings
        self._origin = origin

    async def ingest(
        self, version_id: UUID, report: Callable[[float, str], Awaitable[None]], *, again: bool = False
    ) -> IngestReport:
        """See `DocumentStore.ingest`."""
        documents = await self._documents.get()
        return await documents.ingester.ingest(version_id, self._origin, self._embeddings, report, again=again)

    async def clean(self, *, sweep: bool) -> CleanReport:
        """See `DocumentStore.clean`."""
        return await (await self._documents.get()).cleaner.clean(sweep=sweep)


def _build(settings: WorkerSettings, engine: AsyncEngine, sessions: Sessions, storage: FileStorage) -> "Documents":
    # By name: at the top of this file it would cost every worker seconds and 150 MB.
    module = importlib.import_module("worker.document.store")
    documents: Documents = module.Documents.build(settings, engine, sessions, storage)
    return documents
