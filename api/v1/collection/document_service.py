"""Documents, for those who may read their collection."""

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING
from uuid import UUID

from loguru import logger
from sqlalchemy.ext.asyncio import AsyncSession

from api.config import ApiSettings
from api.cursors import CursorSigner, scope_of
from api.v1.collection.service import missing_collection, require_own
from api.v1.collection.upload import Upload
from common.database.model import Collection, DocumentVersion, IdempotencyKey, Job
from common.database.session import Sessions
from common.errors import ConflictError, NotFoundError, UnavailableError
from common.ids import new_id
from common.jobs.document_ingest import DocumentIngestPayload, document_ingest
from common.queue.announcer import Announcer
from common.queue.client import JobQueue, SubmitOptions
from common.queue.request_keys import RequestKeys, made_id
from common.repository.collection import CollectionRepository
from common.repository.document import DocumentFilter, DocumentRepository, DocumentState, DocumentStatus
from common.repository.idempotency import RequestKey
from common.repository.job import JobRepository, Owner
from common.storage.base import FileKey, FileStorage

if TYPE_CHECKING:
    from hashlib import _Hash


type NameKey = Callable[..., RequestKey | None]


@dataclass(frozen=True, slots=True)
class DocumentsFound:
    """Documents, and the cursor of those after them."""

    items: Sequence[DocumentState]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Accepted:
    """A document that was uploaded, and its job."""

    document: DocumentState
    job: Job | None
    is_replayed: bool = False


@dataclass(frozen=True, slots=True)
class Content:
    """The file of a document."""

    name: str
    version: DocumentVersion
    pieces: AsyncIterator[bytes]


@dataclass(frozen=True, slots=True)
class _Arrival:
    """An upload whose file is in the storage."""

    key: FileKey
    upload: Upload
    sha256: str
    request_id: str
    request_key: RequestKey | None = None

    def is_same(self, state: DocumentState) -> bool:
        """Whether the document has this content, with these attributes, already."""
        version = state.version
        is_content = version.sha256 == self.sha256 and version.content_type == self.upload.media_type
        return is_content and version.attributes == self.upload.attributes


class DocumentService:
    """Raises `NotFoundError` for what the `reader` may not read, `ForbiddenError` when they may but are no `owner`."""

    def __init__(
        self,
        settings: ApiSettings,
        sessions: Sessions,
        collections: CollectionRepository,
        documents: DocumentRepository,
        jobs: JobRepository,
        queue: JobQueue,
        announcer: Announcer,
        storage: FileStorage,
        cursors: CursorSigner,
        keys: RequestKeys,
    ) -> None:
        self._keys = keys
        self._most = settings.max_documents
        self._sessions = sessions
        self._collections = collections
        self._documents = documents
        self._jobs = jobs
        self._queue = queue
        self._announcer = announcer
        self._storage = storage
        self._cursors = cursors

    async def require_own(self, collection_id: UUID, owner: Owner) -> None:
        """Raises `NotFoundError` or `ForbiddenError` before anything of a body is read."""
        async with self._sessions() as db:
            await require_own(db, self._collections, collection_id, owner)

    async def upload(
        self, collection_id: UUID, owner: Owner, upload: Upload, request_id: str, name_key: NameKey
    ) -> Accepted:
        """Keep a file and queue its ingestion. The document of its name gets a new content, unless it has the same.

        `name_key` gives the idempotency key of what the upload holds.

        Raises `ConflictError` over MAX_DOCUMENTS, `UnavailableError` when the storage does not work.
        """
        key = FileKey(owner.tenant_id, collection_id, new_id())
        digest = sha256()
        try:
            await self._storage.write(key, _hashed(upload.pieces(), digest))
        except OSError as error:
            logger.error("The file storage does not work: {}", error)
            raise UnavailableError("the document cannot be stored now; try again soon") from error
        try:
            content = digest.hexdigest()
            request_key = name_key(upload.name, upload.media_type, upload.attributes, content)
            accepted = await self._accept(_Arrival(key, upload, content, request_id, request_key), owner)
        except BaseException:
            await self._discard(key)
            raise
        if accepted.document.version.id != key.version_id:
            await self._discard(key)
        return accepted

    async def get(self, collection_id: UUID, document_id: UUID, reader: Owner) -> DocumentState:
        """One document."""
        async with self._sessions() as db:
            found = await self._documents.find(db, collection_id, document_id, reader)
        if found is None:
            raise _missing(document_id)
        return found

    async def list_page(
        self, collection_id: UUID, reader: Owner, wanted: DocumentFilter, cursor: str | None
    ) -> DocumentsFound:
        """One page, newest first. Raises `InvalidError` for a foreign cursor."""
        scope = f"{collection_id}{scope_of(wanted)}"
        before_id = None if cursor is None else self._cursors.read(reader.user_id, cursor, scope)
        page = replace(wanted, before_id=before_id, limit=wanted.limit + 1)
        async with self._sessions() as db:
            if await self._collections.find_owner(db, collection_id, reader) is None:
                raise missing_collection(collection_id)
            found = await self._documents.list_page(db, collection_id, reader, page)
        shown, has_more = found[: wanted.limit], len(found) > wanted.limit
        following = self._cursors.sign(reader.user_id, shown[-1].document.id, scope) if has_more else None
        return DocumentsFound(shown, following)

    async def open_content(self, collection_id: UUID, document_id: UUID, reader: Owner) -> Content:
        """The file that was uploaded last. Raises `UnavailableError` when the storage does not give it."""
        state = await self.get(collection_id, document_id, reader)
        pieces = self._storage.read(FileKey(reader.tenant_id, collection_id, state.version.id))
        try:
            first = await anext(pieces, b"")
        except OSError as error:
            logger.error("A document cannot be read from the file storage: {}", error)
            raise UnavailableError("the document cannot be read from its storage") from error
        return Content(state.document.name, state.version, _after(first, pieces))

    async def delete(self, collection_id: UUID, document_id: UUID, owner: Owner) -> None:
        """Let no search find the document any more; workers remove what it consists of soon. May be repeated."""
        async with self._sessions.begin() as db:
            collection = await self._collections.lock(db, collection_id, owner)
            if collection is None:
                await require_own(db, self._collections, collection_id, owner)
                raise missing_collection(collection_id)
            if not await self._documents.delete(db, collection, document_id, owner):
                raise _missing(document_id)

    async def _accept(self, new: _Arrival, owner: Owner) -> Accepted:
        async with self._sessions.begin() as db:
            if (held := await self._keys.take(db, owner, new.request_key)) is not None:
                return await self._replay(db, new.key.collection_id, held, owner)
            collection = await self._collections.lock(db, new.key.collection_id, owner)
            if collection is None:
                raise missing_collection(new.key.collection_id)
            before = await self._documents.find_named(db, collection.id, new.upload.name, owner)
            if before is not None and new.is_same(before):
                if before.status is not DocumentStatus.FAILED:
                    found = await self._jobs.find(db, before.version.job_id, owner, with_payload=False)
                    await self._keep(db, new, before, before.version.job_id, owner)
                    return Accepted(before, found)
                job = await self._insert_job(db, before.version, owner, new.request_id)
                await self._documents.set_job(db, before.version.id, owner, job.id)
            else:
                job = await self._add(db, collection, before, new, owner)
            state = await self._documents.find_named(db, collection.id, new.upload.name, owner)
            assert state is not None
            await self._keep(db, new, state, job.id, owner)
        await self._announcer.announce(job)
        return Accepted(state, job)

    async def _keep(self, db: AsyncSession, new: _Arrival, state: DocumentState, job_id: UUID, owner: Owner) -> None:
        await self._keys.keep(db, owner, new.request_key, job_id=job_id, document_id=state.document.id)

    async def _replay(self, db: AsyncSession, collection_id: UUID, held: IdempotencyKey, owner: Owner) -> Accepted:
        document_id = made_id(held, "document_id")
        state = await self._documents.find(db, collection_id, document_id, owner)
        if state is None:
            raise _missing(document_id)
        job = None if held.job_id is None else await self._jobs.find(db, held.job_id, owner, with_payload=False)
        return Accepted(state, job, is_replayed=True)

    async def _add(
        self, db: AsyncSession, collection: Collection, before: DocumentState | None, new: _Arrival, owner: Owner
    ) -> Job:
        """The new content with its job, in one transaction: a file without a job would never be found."""
        if before is not None:
            document = before.document
        else:
            if await self._documents.count(db, collection.id, owner) >= self._most:
                raise ConflictError(f"MAX_DOCUMENTS allows {self._most} documents in a collection")
            values = {"id": new_id(), "collection_id": collection.id, "name": new.upload.name}
            document = await self._documents.add(db, owner, values)
        version = DocumentVersion(
            id=new.key.version_id,
            document_id=document.id,
            collection_id=collection.id,
            content_type=str(new.upload.media_type),
            size=new.upload.size,
            sha256=new.sha256,
            attributes=new.upload.attributes,
        )
        job = await self._insert_job(db, version, owner, new.request_id)
        await self._documents.add_version(db, document, owner, version, job.id)
        return job

    async def _insert_job(self, db: AsyncSession, version: DocumentVersion, owner: Owner, request_id: str) -> Job:
        payload = DocumentIngestPayload(
            collection_id=version.collection_id, document_id=version.document_id, version_id=version.id
        )
        options = SubmitOptions(request_id=request_id)
        job = self._queue.prepare(document_ingest, payload, owner=owner, options=options)
        return (await self._jobs.insert(db, [job]))[0]

    async def _discard(self, key: FileKey) -> None:
        """What cannot be removed now is found as a stray later."""
        try:
            await self._storage.delete(key)
        except OSError as error:
            logger.warning("A file that is not needed stays for now: {}", type(error).__name__)


async def _hashed(pieces: AsyncIterable[bytes], digest: "_Hash") -> AsyncGenerator[bytes, None]:
    async for piece in pieces:
        digest.update(piece)
        yield piece


async def _after(first: bytes, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in pieces:
        yield piece


def _missing(document_id: UUID) -> NotFoundError:
    return NotFoundError(f"document {document_id} does not exist")
