"""Queries for the removal of what nobody finds any more. They serve the installation, across tenants."""

from collections.abc import Collection as Ids
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.orm import InstrumentedAttribute

from common.database.model import Collection, Document, DocumentVersion
from common.repository.sql import Executor


@dataclass(frozen=True, slots=True)
class OldContent:
    """A content whose vectors and file are to be removed."""

    id: UUID
    tenant_id: UUID
    collection_id: UUID


class DocumentCleanupRepository:
    """Finds what can go once no search looks at it any more, and forgets what is gone."""

    async def has_work(self, db: Executor, age: timedelta) -> bool:
        """Whether something ended longer than `age` ago, and is not gone yet."""
        content = select(DocumentVersion.id).where(
            DocumentVersion.cleaned_at.is_(None), _is_old(DocumentVersion.ended_at, age)
        )
        collection = select(Collection.id).where(_is_old(Collection.deleted_at, age))
        return bool((await db.execute(select(content.exists() | collection.exists()))).scalar_one())

    async def list_ended(self, db: Executor, age: timedelta, limit: int) -> Sequence[OldContent]:
        """Contents that ended longer than `age` ago."""
        query = (
            select(DocumentVersion.id, DocumentVersion.tenant_id, DocumentVersion.collection_id)
            .where(DocumentVersion.cleaned_at.is_(None), _is_old(DocumentVersion.ended_at, age))
            .order_by(DocumentVersion.collection_id)
            .limit(limit)
        )
        return [OldContent(*row) for row in await db.execute(query)]

    async def list_deleted_collections(self, db: Executor, age: timedelta, limit: int) -> Sequence[OldContent]:
        """Collections that were deleted longer than `age` ago, with an id twice."""
        query = select(Collection.id, Collection.tenant_id, Collection.id).where(_is_old(Collection.deleted_at, age))
        return [OldContent(*row) for row in await db.execute(query.limit(limit))]

    async def list_versions(self, db: Executor, collection_id: UUID) -> Sequence[OldContent]:
        """Every content of a collection that may still have a file."""
        columns = (DocumentVersion.id, DocumentVersion.tenant_id, DocumentVersion.collection_id)
        query = select(*columns).where(
            DocumentVersion.collection_id == collection_id, DocumentVersion.cleaned_at.is_(None)
        )
        return [OldContent(*row) for row in await db.execute(query)]

    async def mark_cleaned(self, db: Executor, ids: Ids[UUID]) -> None:
        """Vectors and files of these contents are gone."""
        query = update(DocumentVersion).where(DocumentVersion.id.in_(ids))
        await db.execute(query.values(cleaned_at=func.now()))

    async def forget_documents(self, db: Executor, limit: int) -> int:
        """Remove the rows of deleted documents of which nothing is left; how many."""
        left = select(DocumentVersion.id).where(
            DocumentVersion.document_id == Document.id, DocumentVersion.cleaned_at.is_(None)
        )
        empty = select(Document.id).where(Document.deleted_at.is_not(None), ~left.exists()).limit(limit)
        query = delete(Document).where(Document.id.in_(empty.scalar_subquery())).returning(Document.id)
        return len((await db.execute(query)).all())

    async def forget_collection(self, db: Executor, collection_id: UUID) -> None:
        """Remove a deleted collection with its documents."""
        query = delete(Collection).where(Collection.id == collection_id, Collection.deleted_at.is_not(None))
        await db.execute(query)

    async def known_versions(self, db: Executor, ids: Ids[UUID]) -> set[UUID]:
        """Those of `ids` whose vectors and files belong to something."""
        query = select(DocumentVersion.id).where(DocumentVersion.id.in_(ids), DocumentVersion.cleaned_at.is_(None))
        return set((await db.execute(query)).scalars())

    async def list_collections(self, db: Executor, after: UUID | None, limit: int) -> Sequence[UUID]:
        """Ids of collections that may have vectors, in order."""
        query = select(Collection.id).where(Collection.deleted_at.is_(None), Collection.embedding_model.is_not(None))
        if after is not None:
            query = query.where(Collection.id > after)
        return (await db.execute(query.order_by(Collection.id).limit(limit))).scalars().all()


def _is_old(column: InstrumentedAttribute[datetime | None], age: timedelta) -> ColumnElement[bool]:
    return column < func.now() - age
