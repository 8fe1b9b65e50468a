"""One content, from its file to passages that searches find, all at once at the end."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from uuid import UUID

import aiofiles

from common.database.session import Sessions
from common.documents.media import MediaType
from common.documents.ports import IngestReport
from common.errors import JobError, PermanentError, TransientError
from common.ports import CallOrigin, EmbeddingModel, EmbedRequest
from common.repository.ingestion import IngestionRepository, IngestTarget
from common.repository.job import Owner
from common.storage.base import FileKey, FileStorage
from worker.chroma_manager import ChromaManager, StoredPassage
from worker.document.reader import DocumentReader
from worker.document.splitter import DocumentSplitter, Piece
from worker.document.where import DOCUMENT, HASH, VERSION, passage_metadata

type Report = Callable[[float, str], Awaitable[None]]

_BATCH = 64
_AT_ONCE = 4
_READ, _SPLIT, _EMBED = 0.05, 0.1, 0.85


class DocumentIngester:
    """Every method acts for the owner of the job that `origin` names."""

    def __init__(
        self,
        sessions: Sessions,
        storage: FileStorage,
        chroma: ChromaManager,
        reader: DocumentReader,
        splitter: DocumentSplitter,
        ingestion: IngestionRepository,
    ) -> None:
        self._sessions = sessions
        self._storage = storage
        self._chroma = chroma
        self._reader = reader
        self._splitter = splitter
        self._ingestion = ingestion

    async def ingest(
        self,
        version_id: UUID,
        origin: CallOrigin,
        embeddings: EmbeddingModel,
        report: Report,
        *,
        again: bool = False,
    ) -> IngestReport:
        """See `DocumentStore.ingest`."""
        owner = Owner(origin.tenant_id, origin.owner_id)
        async with self._sessions() as db:
            target = await self._ingestion.load(db, version_id, owner)
        if target is None:
            raise PermanentError("the document does not exist any more")
        if (target.is_found and not again) or not target.is_wanted:
            return _report(target, target.passage_count or 0, 0, is_found=target.is_found)
        await report(0, "reading")
        pieces = await self._pieces(target, owner, report)
        model, _ = identity = await self._identity(target, embeddings)
        async with self._sessions.begin() as db:
            fixed = await self._ingestion.begin(db, target, owner, identity)
        if fixed != identity:
            raise PermanentError(
                f"the collection holds vectors of {fixed[0]} ({fixed[1]} dimensions), not of {model} ({identity[1]})"
            )
        await self._chroma.ensure(target.collection_id, owner.tenant_id, *identity)
        embedded = await self._embed(target, pieces, origin, embeddings, model, report)
        await self._chroma.delete(target.collection_id, _beyond(target, len(pieces)))
        is_found = await self._activate(target, owner, origin, len(pieces))
        return _report(target, len(pieces), embedded, is_found=is_found)

    async def _pieces(self, target: IngestTarget, owner: Owner, report: Report) -> list[Piece]:
        media_type = MediaType(target.content_type)
        async with self._file(target, owner) as path:
            pages = await self._reader.read(path, media_type)
        await report(_READ, "splitting")
        return await asyncio.to_thread(self._splitter.split, pages, media_type)

    @asynccontextmanager
    async def _file(self, target: IngestTarget, owner: Owner) -> AsyncIterator[Path]:
        """A copy of the file on this host, checked against the hash that it was uploaded with."""
        key = FileKey(owner.tenant_id, target.collection_id, target.id)
        digest = sha256()
        with tempfile.TemporaryDirectory(prefix="letuin-document-") as folder:
            path = Path(folder) / "content"
            try:
                async with aiofiles.open(path, "wb") as file:
                    async for piece in self._storage.read(key):
                        digest.update(piece)
                        await file.write(piece)
            except FileNotFoundError as error:
                raise PermanentError("the file is not in the storage any more; upload it again") from error
            except OSError as error:
                raise TransientError(f"the file cannot be read from the storage ({type(error).__name__})") from error
            if digest.hexdigest() != target.sha256:
                raise PermanentError("the file in the storage is not the one that was uploaded; upload it again")
            yield path

    async def _identity(self, target: IngestTarget, embeddings: EmbeddingModel) -> tuple[str, int]:
        """The model of the collection, or the default one for a collection that has none yet."""
        try:
            return await embeddings.identity(target.embedding_model)
        except PermanentError as error:
            if target.embedding_model is None:
                raise
            message = f"the collection's embedding model is {target.embedding_model}, which gives no vectors here"
            raise PermanentError(f"{message}: {error.message}") from error

    async def _embed(
        self,
        target: IngestTarget,
        pieces: Sequence[Piece],
        origin: CallOrigin,
        embeddings: EmbeddingModel,
        model: str,
        report: Report,
    ) -> int:
        """Write a vector for each piece; how many had to be made."""
        # Of a document's first content, in its first attempt, nothing is there.
        may_know = target.version > 1 or origin.attempt > 1 or target.is_found
        batches = iter([pieces[start : start + _BATCH] for start in range(0, len(pieces), _BATCH)])
        made, done = 0, 0

        async def work() -> None:
            nonlocal made, done
            for batch in batches:
                made += await self._write(target, batch, embeddings, model, may_know=may_know)
                done += len(batch)
                await report(_SPLIT + _EMBED * done / len(pieces), f"{done} of {len(pieces)} passages")

        await _together(work, min(_AT_ONCE, -(-len(pieces) // _BATCH)))
        return made

    async def _write(
        self, target: IngestTarget, batch: Sequence[Piece], embeddings: EmbeddingModel, model: str, *, may_know: bool
    ) -> int:
        """Vectors that an earlier attempt, or an earlier content of the document, had are not made again."""
        vectors: dict[str, Sequence[float]] = {}
        if may_know:
            vectors = await self._known(target, {piece.digest for piece in batch})
        new = list({piece.digest: piece.text for piece in batch if piece.digest not in vectors}.items())
        if new:
            answer = await embeddings.embed(EmbedRequest([text for _, text in new], model))
            vectors |= {digest: vector for (digest, _), vector in zip(new, answer.vectors, strict=True)}
        await self._chroma.upsert(
            target.collection_id,
            [
                StoredPassage(_id(target, piece), piece.text, _metadata(target, piece), vectors[piece.digest])
                for piece in batch
            ],
        )
        return len(new)

    async def _known(self, target: IngestTarget, digests: set[str]) -> dict[str, Sequence[float]]:
        where = {"$and": [{DOCUMENT: str(target.document_id)}, {HASH: {"$in": sorted(digests)}}]}
        found = await self._chroma.vectors(target.collection_id, where)
        return {str(metadata[HASH]): vector for _, metadata, vector in found}

    async def _activate(self, target: IngestTarget, owner: Owner, origin: CallOrigin, count: int) -> bool:
        """Under the fence: an attempt that was overtaken changes nothing."""
        async with self._sessions.begin() as db:
            await self._ingestion.hold_collection(db, target.collection_id, owner)
            if not await self._ingestion.hold_job(db, origin.job_id, origin.attempt, owner):
                raise TransientError("another attempt has taken over, or the job was cancelled")
            return await self._ingestion.activate(db, target, owner, count)


async def _together(work: Callable[[], Awaitable[None]], count: int) -> None:
    """Run `work` `count` times at once; the first error of a port ends all of them and is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(count):
                group.create_task(_coroutine(work))
    except* JobError as errors:
        raise next(_leaves(errors)) from None


async def _coroutine(work: Callable[[], Awaitable[None]]) -> None:
    await work()


def _leaves(errors: BaseExceptionGroup[JobError]) -> Iterator[JobError]:
    for error in errors.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


def _id(target: IngestTarget, piece: Piece) -> str:
    """The same in every attempt, so that a repetition replaces and never doubles."""
    return f"{target.id}:{piece.index}"


def _beyond(target: IngestTarget, count: int) -> dict[str, object]:
    """What an attempt under other settings may have left after the last passage."""
    return {"$and": [{VERSION: str(target.id)}, {"index": {"$gte": count}}]}


def _metadata(target: IngestTarget, piece: Piece) -> dict[str, object]:
    return passage_metadata(
        version_id=target.id,
        document_id=target.document_id,
        document_name=target.document_name,
        content_type=target.content_type,
        index=piece.index,
        page=piece.page,
        digest=piece.digest,
        attributes=target.attributes,
    )


def _report(target: IngestTarget, passages: int, embedded: int, *, is_found: bool) -> IngestReport:
    return IngestReport(target.document_id, target.version, passages, embedded, is_found)
