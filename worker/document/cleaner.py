"""Removes what nobody finds any more. Everything here may be broken off and begun again."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby
from uuid import UUID

from loguru import logger

from common.database.session import Sessions
from common.documents.ports import CleanReport
from common.errors import TransientError
from common.repository.document_cleanup import DocumentCleanupRepository, OldContent
from common.storage.base import FileKey, FileStorage, StoredFile
from worker.chroma_manager import ChromaManager
from worker.config import WorkerSettings
from worker.document.where import VERSION

_BATCH = 200


class DocumentCleaner:
    """Contents that were replaced or deleted, collections that were deleted, and strays."""

    def __init__(
        self,
        settings: WorkerSettings,
        sessions: Sessions,
        storage: FileStorage,
        chroma: ChromaManager,
        cleanup: DocumentCleanupRepository,
    ) -> None:
        self._age = settings.document_cleanup_delay
        self._stray_age = settings.document_stray_age
        self._sessions = sessions
        self._storage = storage
        self._chroma = chroma
        self._cleanup = cleanup

    async def clean(self, *, sweep: bool) -> CleanReport:
        """See `DocumentStore.clean`."""
        try:
            collections = await self._drop_collections()
            contents = await self._remove_ended()
            vectors = await self._sweep_vectors() if sweep else 0
            files = await self._sweep_files() if sweep else 0
        except OSError as error:
            raise TransientError(f"the file storage does not work ({type(error).__name__})") from error
        if vectors or files:
            logger.info("Strays were removed: vectors={} files={}", vectors, files)
        return CleanReport(contents, collections, vectors, files)

    async def _remove_ended(self) -> int:
        removed = 0
        while True:
            async with self._sessions() as db:
                ended = await self._cleanup.list_ended(db, self._age, _BATCH)
            for collection_id, group in groupby(ended, key=lambda each: each.collection_id):
                contents = list(group)
                versions = [str(each.id) for each in contents]
                await self._chroma.delete(collection_id, {VERSION: {"$in": versions}})
                await self._delete_files(contents)
                async with self._sessions.begin() as db:
                    await self._cleanup.mark_cleaned(db, [each.id for each in contents])
            removed += len(ended)
            if len(ended) < _BATCH:
                break
        async with self._sessions.begin() as db:
            await self._cleanup.forget_documents(db, _BATCH * 10)
        return removed

    async def _drop_collections(self) -> int:
        async with self._sessions() as db:
            deleted = await self._cleanup.list_deleted_collections(db, self._age, _BATCH)
        for collection in deleted:
            await self._chroma.drop(collection.id)
            async with self._sessions() as db:
                contents = await self._cleanup.list_versions(db, collection.id)
            await self._delete_files(contents)
            async with self._sessions.begin() as db:
                await self._cleanup.forget_collection(db, collection.id)
        return len(deleted)

    async def _delete_files(self, contents: Sequence[OldContent]) -> None:
        for each in contents:
            await self._storage.delete(FileKey(each.tenant_id, each.collection_id, each.id))

    async def _sweep_vectors(self) -> int:
        """Vectors that an attempt wrote after its content was removed."""
        removed, last = 0, None
        while True:
            async with self._sessions() as db:
                collections = await self._cleanup.list_collections(db, last, _BATCH)
            for collection_id in collections:
                removed += await self._sweep_collection(collection_id)
            if len(collections) < _BATCH:
                return removed
            last = collections[-1]

    async def _sweep_collection(self, collection_id: UUID) -> int:
        offset, seen, strays = 0, set[UUID](), 0
        while page := await self._chroma.scan(collection_id, offset):
            offset += len(page)
            seen |= {UUID(str(metadata[VERSION])) for _, metadata in page if VERSION in metadata}
        async with self._sessions() as db:
            strays_found = seen - await self._cleanup.known_versions(db, seen) if seen else set[UUID]()
        for version_id in strays_found:
            await self._chroma.delete(collection_id, {VERSION: str(version_id)})
            strays += 1
        return strays

    async def _sweep_files(self) -> int:
        """Files whose upload died before its row was written."""
        before = datetime.now(UTC) - self._stray_age
        removed, batch = 0, list[StoredFile]()
        async for file in self._storage.list():
            if file.modified_at < before:
                batch.append(file)
            if len(batch) >= _BATCH:
                removed += await self._remove_strays(batch)
                batch = []
        return removed + await self._remove_strays(batch)

    async def _remove_strays(self, files: list[StoredFile]) -> int:
        async with self._sessions() as db:
            known = await self._cleanup.known_versions(db, [file.key.version_id for file in files])
        strays = [file for file in files if file.key.version_id not in known]
        for stray in strays:
            await self._storage.delete(stray.key)
        return len(strays)
