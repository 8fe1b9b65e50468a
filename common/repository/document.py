"""Queries about documents. Whoever may read a collection reads its documents; changes name tenant and owner."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, func, insert, select, update

from common.database.model import Collection, Document, DocumentVersion, Job
from common.repository.collection_access import read_by
from common.repository.job import Owner
from common.repository.sql import Executor


class DocumentStatus(StrEnum):
    """Where the content that was uploaded last stands. What was `ready` before stays to be found until then."""

    PENDING = "pending"
    INGESTING = "ingesting"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class DocumentFilter:
    """Which documents of a collection to list, newest first."""

    name: str | None = None
    before_id: UUID | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class DocumentState:
    """A document with its newest content, and with what its job says of it."""

    document: Document
    version: DocumentVersion
    job_status: str | None
    job_error: dict[str, Any] | None
    job_progress: dict[str, Any] | None

    @property
    def status(self) -> DocumentStatus:
        """The row of the version knows that it is found; everything before that only its job knows."""
        if self.version.found_from is not None:
            return DocumentStatus.READY
        if self.job_status == "running":
            return DocumentStatus.INGESTING
        return DocumentStatus.PENDING if self.job_status == "queued" else DocumentStatus.FAILED


class DocumentRepository:
    """Documents and their versions."""

    async def count(self, db: Executor, collection_id: UUID, owner: Owner) -> int:
        """How many documents the owner's collection has."""
        is_in = and_(Document.collection_id == collection_id, Document.deleted_at.is_(None))
        is_owners = and_(Document.tenant_id == owner.tenant_id, Document.owner_id == owner.user_id)
        query = select(func.count()).select_from(Document).where(is_in, is_owners)
        return (await db.execute(query)).scalar_one()

    async def find(self, db: Executor, collection_id: UUID, document_id: UUID, reader: Owner) -> DocumentState | None:
        """One document."""
        query = _states(collection_id, reader).where(Document.id == document_id)
        row = (await db.execute(query)).one_or_none()
        return None if row is None else DocumentState(*row)

    async def find_named(self, db: Executor, collection_id: UUID, name: str, reader: Owner) -> DocumentState | None:
        """The document of this name."""
        row = (await db.execute(_states(collection_id, reader).where(Document.name == name))).one_or_none()
        return None if row is None else DocumentState(*row)

    async def find_file(self, db: Executor, document_id: UUID, reader: Owner) -> DocumentVersion | None:
        """The newest content of a document that the reader may read, whatever collection it is in."""
        newest = and_(DocumentVersion.document_id == Document.id, DocumentVersion.version == Document.latest_version)
        query = select(DocumentVersion).join(Document, newest).join(Collection, Collection.id == Document.collection_id)
        is_one = and_(Document.id == document_id, Document.tenant_id == reader.tenant_id, Document.deleted_at.is_(None))
        return (await db.execute(query.where(is_one, read_by(reader)))).scalar_one_or_none()

    async def list_page(
        self, db: Executor, collection_id: UUID, reader: Owner, wanted: DocumentFilter
    ) -> list[DocumentState]:
        """One page, newest first."""
        query = _states(collection_id, reader)
        if wanted.name is not None:
            query = query.where(Document.name == wanted.name)
        if wanted.before_id is not None:
            query = query.where(Document.id < wanted.before_id)
        rows = await db.execute(query.order_by(Document.id.desc()).limit(wanted.limit))
        return [DocumentState(*row) for row in rows]

    async def add(self, db: Executor, owner: Owner, values: Mapping[str, Any]) -> Document:
        """Insert a document without any content yet."""
        row = {**values, "tenant_id": owner.tenant_id, "owner_id": owner.user_id}
        return (await db.execute(insert(Document).values(row).returning(Document))).scalar_one()

    async def add_version(
        self, db: Executor, document: Document, owner: Owner, version: DocumentVersion, job_id: UUID
    ) -> None:
        """Give a document a new content, in the transaction that holds its collection."""
        number = document.latest_version + 1
        changes = {"latest_version": number, "updated_at": func.now()}
        is_one = and_(Document.id == document.id, Document.tenant_id == owner.tenant_id)
        await db.execute(update(Document).where(is_one).values(changes))
        row = {
            "id": version.id,
            "document_id": document.id,
            "collection_id": document.collection_id,
            "tenant_id": owner.tenant_id,
            "owner_id": owner.user_id,
            "version": number,
            "content_type": version.content_type,
            "size": version.size,
            "sha256": version.sha256,
            "attributes": version.attributes,
            "job_id": job_id,
        }
        await db.execute(insert(DocumentVersion).values(row))

    async def set_job(self, db: Executor, version_id: UUID, owner: Owner, job_id: UUID) -> None:
        """Another job ingests this content."""
        query = update(DocumentVersion).where(
            DocumentVersion.id == version_id,
            DocumentVersion.tenant_id == owner.tenant_id,
            DocumentVersion.owner_id == owner.user_id,
        )
        await db.execute(query.values(job_id=job_id))

    async def delete(self, db: Executor, collection: Collection, document_id: UUID, owner: Owner) -> bool:
        """Let no search find it any more, in the transaction that holds its collection.

        True also when that was so before, as long as it is known.
        """
        is_one = and_(
            Document.id == document_id,
            Document.collection_id == collection.id,
            Document.tenant_id == owner.tenant_id,
            Document.owner_id == owner.user_id,
        )
        values = {"deleted_at": func.coalesce(Document.deleted_at, func.now()), "updated_at": func.now()}
        found = (await db.execute(update(Document).where(is_one).values(values).returning(Document.id))).first()
        if found is not None:
            await end_versions(db, collection.id, document_id, owner)
        return found is not None


async def end_versions(
    db: Executor, collection_id: UUID, document_id: UUID, owner: Owner, *, before: int | None = None
) -> int:
    """Begin a revision of the collection in which the document's versions (those `before` one) are not found.

    Returns the revision. Belongs into a transaction that holds the collection.
    """
    is_collection = and_(Collection.id == collection_id, Collection.tenant_id == owner.tenant_id)
    grown = update(Collection).where(is_collection).values(revision=Collection.revision + 1)
    revision: int = (await db.execute(grown.returning(Collection.revision))).scalar_one()
    query = update(DocumentVersion).where(
        DocumentVersion.document_id == document_id,
        DocumentVersion.tenant_id == owner.tenant_id,
        DocumentVersion.ended_at.is_(None),
    )
    if before is not None:
        query = query.where(DocumentVersion.version < before)
    await db.execute(query.values(found_until=revision, ended_at=func.now()))
    return revision


def _states(collection_id: UUID, reader: Owner) -> Select[Any]:
    newest = and_(DocumentVersion.document_id == Document.id, DocumentVersion.version == Document.latest_version)
    return (
        select(Document, DocumentVersion, Job.status, Job.error, Job.progress)
        .join(DocumentVersion, newest)
        .outerjoin(Job, Job.id == DocumentVersion.job_id)
        .join(Collection, Collection.id == Document.collection_id)
        .where(
            Document.collection_id == collection_id,
            Document.tenant_id == reader.tenant_id,
            Document.deleted_at.is_(None),
            read_by(reader),
        )
        .execution_options(populate_existing=True)
    )
