"""From a question to passages. Chroma proposes, PostgreSQL decides what is shown."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from common.errors import PermanentError
from common.ports import EmbeddingModel, EmbedRequest, Passage
from common.repository.job import Owner
from common.repository.passage import FoundVersion, PassageRepository, SearchGround
from worker.chroma_manager import ChromaManager, Hit
from worker.document.where import VERSION, search_where, shown_metadata

_MAX_HIDDEN = 500
_ROUNDS = 3
_GROWTH = 4
_SPARE = 3
_LOST = "the vectors of this collection are gone; who runs Letuin brings them back with `letuin verify --repair`"


class DocumentSearcher:
    """Reads one revision of a collection: of a document that is replaced meanwhile, the old content or the new one."""

    def __init__(self, engine: AsyncEngine, chroma: ChromaManager, passages: PassageRepository) -> None:
        # Each read is one statement: without BEGIN and ROLLBACK it is one round trip instead of three.
        self._reads = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._chroma = chroma
        self._passages = passages

    async def search(
        self,
        owner: Owner,
        embeddings: EmbeddingModel,
        collection_id: UUID,
        query: str,
        *,
        limit: int,
        where: Mapping[str, Any] | None,
    ) -> list[Passage]:
        """See `Retriever.retrieve`."""
        search_where(where, ())  # a filter that is none costs no vector
        async with self._reads.connect() as db:
            ground = await self._passages.look(db, collection_id, owner)
        if ground is None:
            raise PermanentError(f"collection {collection_id} does not exist")
        if ground.embedding_dimension is None:
            return []
        vector = await self._vector(ground, embeddings, query)
        # More would make the query slow; what it then proposes in vain is left out below.
        hidden = sorted(ground.hidden)[-_MAX_HIDDEN:]
        chroma_where = search_where(where, hidden)
        wanted = limit + (_SPARE if len(ground.hidden) > len(hidden) else 0)
        for _ in range(_ROUNDS):
            hits = await self._chroma.search(collection_id, vector, wanted, chroma_where)
            if not hits and where is None:
                await self._check_vectors(ground, owner)
            found = await self._shown(ground, hits, owner)
            if len(found) >= limit or len(hits) < wanted:
                break
            wanted *= _GROWTH
        return found[:limit]

    async def _check_vectors(self, ground: SearchGround, owner: Owner) -> None:
        """Every question is alike to something, unless nothing is there any more: that is not an answer."""
        async with self._reads.connect() as db:
            if await self._passages.has_passages(db, ground, owner):
                raise PermanentError(_LOST)

    async def _vector(self, ground: SearchGround, embeddings: EmbeddingModel, query: str) -> Sequence[float]:
        try:
            answer = await embeddings.embed(EmbedRequest([query], ground.embedding_model))
        except PermanentError as error:
            message = f"the collection's embedding model is {ground.embedding_model}, which gives no vectors here"
            raise PermanentError(f"{message}: {error.message}") from error
        if answer.dimension != ground.embedding_dimension:
            raise PermanentError(
                f"the collection holds vectors of {ground.embedding_dimension} dimensions; "
                f"{answer.model} now makes {answer.dimension}"
            )
        return answer.vectors[0]

    async def _shown(self, ground: SearchGround, hits: Sequence[Hit], owner: Owner) -> list[Passage]:
        ids = {UUID(str(hit.metadata[VERSION])) for hit in hits if VERSION in hit.metadata}
        if not ids:
            return []
        async with self._reads.connect() as db:
            versions = await self._passages.find_versions(db, ground, ids, owner)
        found = ((hit, versions.get(UUID(str(hit.metadata[VERSION])))) for hit in hits)
        return [_passage(hit, version) for hit, version in found if version is not None and _belongs(hit, version)]


def _belongs(hit: Hit, version: FoundVersion) -> bool:
    """An attempt that was overtaken may have left passages beyond the last one."""
    return int(hit.metadata["index"]) < version.passage_count


def _passage(hit: Hit, version: FoundVersion) -> Passage:
    return Passage(
        document_id=version.document_id,
        document_name=version.document_name,
        index=int(hit.metadata["index"]),
        text=hit.text,
        score=hit.score,
        metadata=shown_metadata(hit.metadata),
    )
