"""The documents of this process, whole. Heavy to import: only `worker.document.lazy` does, late."""

from dataclasses import dataclass
from typing import Self

from sqlalchemy.ext.asyncio import AsyncEngine

from common.database.session import Sessions
from common.repository.document_cleanup import DocumentCleanupRepository
from common.repository.ingestion import IngestionRepository
from common.repository.passage import PassageRepository
from common.storage.base import FileStorage
from worker.chroma_manager import ChromaManager
from worker.config import WorkerSettings
from worker.document.cleaner import DocumentCleaner
from worker.document.ingester import DocumentIngester
from worker.document.reader import DocumentReader
from worker.document.searcher import DocumentSearcher
from worker.document.splitter import DocumentSplitter


@dataclass(frozen=True, slots=True)
class Documents:
    """What handlers reach through their ports."""

    chroma: ChromaManager
    ingester: DocumentIngester
    searcher: DocumentSearcher
    cleaner: DocumentCleaner

    @classmethod
    def build(cls, settings: WorkerSettings, engine: AsyncEngine, sessions: Sessions, storage: FileStorage) -> Self:
        """Nothing connects here."""
        chroma = ChromaManager(settings)
        splitter = DocumentSplitter(settings.document_passage_size, settings.document_passage_overlap)
        reader = DocumentReader(settings)
        return cls(
            chroma,
            DocumentIngester(sessions, storage, chroma, reader, splitter, IngestionRepository()),
            DocumentSearcher(engine, chroma, PassageRepository()),
            DocumentCleaner(settings, sessions, storage, chroma, DocumentCleanupRepository()),
        )
