"""Queries about collections, by `owned_by` or `read_by`; deleted ones are as good as gone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, insert, select, update

from common.database.model import Collection, Document, Visibility
from common.repository.collection_access import owned_by, read_by
from common.repository.job import Owner
from common.repository.sql import Executor


@dataclass(frozen=True, slots=True)
class CollectionFilter:
    """Which collections to list, newest first; without `visibility` all that the reader may read."""

    name: str | None = None
    visibility: Visibility | None = None
    before_id: UUID | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class CountedCollection:
    """A collection and how many documents it has."""

    collection: Collection
    document_count: int


class CollectionRepository:
    """Collections, for their owners, and for those who may read them."""

    async def create(self, db: Executor, owner: Owner, values: Mapping[str, Any]) -> Collection:
        """Insert a collection. Raises SQLAlchemy's `IntegrityError` when the tenant has one of this name."""
        row = {**values, "tenant_id": owner.tenant_id, "owner_id": owner.user_id}
        return (await db.execute(insert(Collection).values(row).returning(Collection))).scalar_one()

    async def count(self, db: Executor, owner: Owner) -> int:
        """How many collections the owner has."""
        query = select(func.count()).select_from(Collection).where(owned_by(owner))
        return (await db.execute(query)).scalar_one()

    async def find(self, db: Executor, collection_id: UUID, reader: Owner) -> CountedCollection | None:
        """A collection that the reader may read."""
        query = select(Collection, _document_count()).where(Collection.id == collection_id, read_by(reader))
        row = (await db.execute(query)).one_or_none()
        return None if row is None else CountedCollection(row[0], row[1])

    async def find_owner(self, db: Executor, collection_id: UUID, reader: Owner) -> UUID | None:
        """Whose collection it is; None when the reader may not know of it."""
        query = select(Collection.owner_id).where(Collection.id == collection_id, read_by(reader))
        return (await db.execute(query)).scalar_one_or_none()

    async def lock(self, db: Executor, collection_id: UUID, owner: Owner) -> Collection | None:
        """The owner's collection; nobody else changes what it holds until the transaction ends."""
        query = select(Collection).where(Collection.id == collection_id, owned_by(owner))
        return (await db.execute(query.with_for_update(key_share=True))).scalar_one_or_none()

    async def list_page(self, db: Executor, reader: Owner, wanted: CollectionFilter) -> Sequence[CountedCollection]:
        """One page of what the reader may read, newest first."""
        query = select(Collection, _document_count()).where(read_by(reader))
        if wanted.visibility is not None:
            query = query.where(Collection.visibility == str(wanted.visibility))
        if wanted.name is not None:
            query = query.where(Collection.name == wanted.name)
        if wanted.before_id is not None:
            query = query.where(Collection.id < wanted.before_id)
        rows = await db.execute(query.order_by(Collection.id.desc()).limit(wanted.limit))
        return [CountedCollection(row[0], row[1]) for row in rows]

    async def change(
        self, db: Executor, collection_id: UUID, reader: Owner, values: Mapping[str, Any]
    ) -> Collection | None:
        """Set columns; None when the reader may not know of it. Whether they may change it the caller has checked.

        Raises SQLAlchemy's `IntegrityError` when the tenant has one of the new name.
        """
        query = update(Collection).where(Collection.id == collection_id, read_by(reader))
        changed = query.values({**values, "updated_at": func.now()}).returning(Collection)
        return (await db.execute(changed, execution_options={"populate_existing": True})).scalar_one_or_none()

    async def delete(self, db: Executor, collection_id: UUID, owner: Owner) -> bool:
        """Let nobody find it any more; True also when that was so before, as long as it is known."""
        is_owners = and_(Collection.tenant_id == owner.tenant_id, Collection.owner_id == owner.user_id)
        values = {"deleted_at": func.coalesce(Collection.deleted_at, func.now()), "updated_at": func.now()}
        query = update(Collection).where(Collection.id == collection_id, is_owners).values(values)
        return (await db.execute(query.returning(Collection.id))).first() is not None

    async def delete_all(self, db: Executor, owner: Owner) -> None:
        """Let nobody find the owner's collections any more."""
        values = {"deleted_at": func.now(), "updated_at": func.now()}
        await db.execute(update(Collection).where(owned_by(owner)).values(values))


def _document_count() -> ColumnElement[int]:
    query = select(func.count()).where(Document.collection_id == Collection.id, Document.deleted_at.is_(None))
    return query.scalar_subquery()
