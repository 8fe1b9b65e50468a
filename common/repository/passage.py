"""What a search may find: the one place that decides it. Every query asks `read_by`."""

from collections.abc import Collection as Ids
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import and_, or_, select

from common.database.model import Collection, Document, DocumentVersion
from common.repository.collection_access import read_by
from common.repository.job import Owner
from common.repository.sql import Executor


@dataclass(frozen=True, slots=True)
class SearchGround:
    """A collection at one revision. `hidden` are versions with vectors that this revision does not find."""

    collection_id: UUID
    revision: int
    embedding_model: str | None
    embedding_dimension: int | None
    hidden: frozenset[UUID]


@dataclass(frozen=True, slots=True)
class FoundVersion:
    """A content that a revision finds."""

    id: UUID
    document_id: UUID
    document_name: str
    passage_count: int


class PassageRepository:
    """Reads for searches. Chroma only proposes; these rows decide what is shown."""

    async def look(self, db: Executor, collection_id: UUID, reader: Owner) -> SearchGround | None:
        """The collection as it is now; None when the reader may not read it."""
        is_one = and_(Collection.id == collection_id, read_by(reader))
        # One statement: revision and hidden versions of the same moment.
        hides = and_(
            DocumentVersion.collection_id == Collection.id,
            DocumentVersion.begun_at.is_not(None),
            DocumentVersion.cleaned_at.is_(None),
            or_(DocumentVersion.found_from.is_(None), DocumentVersion.found_until.is_not(None)),
        )
        columns = (Collection.revision, Collection.embedding_model, Collection.embedding_dimension, DocumentVersion.id)
        rows = (await db.execute(select(*columns).outerjoin(DocumentVersion, hides).where(is_one))).all()
        if not rows:
            return None
        revision, model, dimension, _ = rows[0]
        hidden = frozenset(row[3] for row in rows if row[3] is not None)
        return SearchGround(collection_id, revision, model, dimension, hidden)

    async def has_passages(self, db: Executor, ground: SearchGround, reader: Owner) -> bool:
        """Whether there is something to find, and still is what `ground` says."""
        query = select(DocumentVersion.id).join(Collection, Collection.id == DocumentVersion.collection_id)
        query = query.where(
            Collection.id == ground.collection_id,
            Collection.revision == ground.revision,
            DocumentVersion.tenant_id == reader.tenant_id,
            read_by(reader),
            DocumentVersion.found_from <= ground.revision,
            DocumentVersion.found_until.is_(None),
            DocumentVersion.passage_count > 0,
        )
        return (await db.execute(query.limit(1))).first() is not None

    async def find_versions(
        self, db: Executor, ground: SearchGround, ids: Ids[UUID], reader: Owner
    ) -> dict[UUID, FoundVersion]:
        """Those of `ids` that the revision of `ground` finds; none when the reader may not read it any more."""
        query = (
            select(DocumentVersion.id, Document.id, Document.name, DocumentVersion.passage_count)
            .join(Document, Document.id == DocumentVersion.document_id)
            .join(Collection, Collection.id == DocumentVersion.collection_id)
            .where(
                DocumentVersion.id.in_(ids),
                DocumentVersion.collection_id == ground.collection_id,
                DocumentVersion.tenant_id == reader.tenant_id,
                read_by(reader),
                DocumentVersion.found_from <= ground.revision,
                or_(DocumentVersion.found_until.is_(None), DocumentVersion.found_until > ground.revision),
            )
        )
        rows = (await db.execute(query)).all()
        return {row[0]: FoundVersion(row[0], row[1], row[2], row[3] or 0) for row in rows}
