"""Queries of the worker that turns contents into passages. Every query names tenant and owner."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, select, update

from common.database.model import Collection, Document, DocumentVersion, Job
from common.repository.document import end_versions
from common.repository.job import Owner
from common.repository.sql import Executor


@dataclass(frozen=True, slots=True)
class IngestTarget:
    """A content to ingest and where it belongs. `is_wanted`: nothing newer is found already, nothing was deleted."""

    id: UUID
    collection_id: UUID
    document_id: UUID
    document_name: str
    version: int
    content_type: str
    size: int
    sha256: str
    attributes: dict[str, Any]
    embedding_model: str | None
    passage_count: int | None
    is_found: bool
    is_wanted: bool


class IngestionRepository:
    """From an uploaded content to one that searches find."""

    async def load(self, db: Executor, version_id: UUID, owner: Owner) -> IngestTarget | None:
        """The content; None when it is not the owner's, or its document was removed for good."""
        query = (
            select(DocumentVersion, Document.name, Collection.embedding_model, _is_wanted())
            .join(Document, Document.id == DocumentVersion.document_id)
            .join(Collection, Collection.id == DocumentVersion.collection_id)
            .where(DocumentVersion.id == version_id, _of(owner))
        )
        row = (await db.execute(query)).one_or_none()
        if row is None:
            return None
        version, name, model, is_wanted = row
        return IngestTarget(
            id=version.id,
            collection_id=version.collection_id,
            document_id=version.document_id,
            document_name=name,
            version=version.version,
            content_type=version.content_type,
            size=version.size,
            sha256=version.sha256,
            attributes=version.attributes,
            embedding_model=model,
            passage_count=version.passage_count,
            is_found=version.found_from is not None,
            is_wanted=is_wanted,
        )

    async def begin(
        self, db: Executor, target: IngestTarget, owner: Owner, identity: tuple[str, int]
    ) -> tuple[str, int]:
        """Say that there will be vectors. Returns the model and dimension that the collection has from the first on."""
        model, dimension = identity
        values = {
            "embedding_model": func.coalesce(Collection.embedding_model, model),
            "embedding_dimension": func.coalesce(Collection.embedding_dimension, dimension),
        }
        fixed = (
            update(Collection)
            .where(Collection.id == target.collection_id, Collection.tenant_id == owner.tenant_id)
            .values(values)
            .returning(Collection.embedding_model, Collection.embedding_dimension)
        )
        begun = update(DocumentVersion).where(DocumentVersion.id == target.id, _of(owner))
        row = (await db.execute(fixed)).one()
        await db.execute(begun.values(begun_at=func.coalesce(DocumentVersion.begun_at, func.now())))
        return row[0] or model, row[1] or dimension

    async def hold_job(self, db: Executor, job_id: UUID, attempt: int, owner: Owner) -> bool:
        """Whether this attempt is still the job's, and stays so until the transaction ends."""
        query = select(Job.id).where(
            Job.id == job_id,
            Job.tenant_id == owner.tenant_id,
            Job.owner_id == owner.user_id,
            Job.attempt == attempt,
            Job.status == "running",
            Job.cancel_requested_at.is_(None),
        )
        return (await db.execute(query.with_for_update(key_share=True))).first() is not None

    async def hold_collection(self, db: Executor, collection_id: UUID, owner: Owner) -> None:
        """Let nobody else change what searches of a collection find until the transaction ends."""
        query = select(Collection.id).where(Collection.id == collection_id, Collection.tenant_id == owner.tenant_id)
        await db.execute(query.with_for_update(key_share=True))

    async def activate(self, db: Executor, target: IngestTarget, owner: Owner, passage_count: int) -> bool:
        """Let searches find this content, and no older one. False when it is not wanted any more.

        Belongs into a transaction that holds the job and the collection.
        """
        is_wanted = select(_is_wanted()).select_from(DocumentVersion)
        is_wanted = is_wanted.join(Document, Document.id == DocumentVersion.document_id)
        is_wanted = is_wanted.join(Collection, Collection.id == DocumentVersion.collection_id)
        if not (await db.execute(is_wanted.where(DocumentVersion.id == target.id, _of(owner)))).scalar_one():
            return False
        revision = await end_versions(db, target.collection_id, target.document_id, owner, before=target.version)
        found = {"found_from": revision, "activated_at": func.now(), "passage_count": passage_count}
        await db.execute(update(DocumentVersion).where(DocumentVersion.id == target.id, _of(owner)).values(found))
        is_one = and_(Document.id == target.document_id, Document.tenant_id == owner.tenant_id)
        changes = {"active_version": target.version, "updated_at": func.now()}
        await db.execute(update(Document).where(is_one).values(changes))
        return True


def _of(owner: Owner) -> ColumnElement[bool]:
    return and_(DocumentVersion.tenant_id == owner.tenant_id, DocumentVersion.owner_id == owner.user_id)


def _is_wanted() -> ColumnElement[bool]:
    is_there = and_(Document.deleted_at.is_(None), Collection.deleted_at.is_(None), DocumentVersion.ended_at.is_(None))
    is_newest = func.coalesce(Document.active_version, 0) <= DocumentVersion.version
    return and_(is_there, is_newest)
