"""Collections of documents, and each content that a document has had."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from common.database.model.base import Base


class Visibility(StrEnum):
    """Who may read a collection: its owner alone, or everybody of its tenant. Only the owner changes it."""

    PRIVATE = "private"
    TENANT = "tenant"


class Collection(Base):
    """Documents that are searched together, with vectors of one model.

    `revision` grows with everything that changes what a search finds. Deleted ones stay until their vectors are gone.
    """

    __tablename__ = "collections"
    __table_args__ = (
        Index("uq_collections_name", "tenant_id", "name", unique=True, postgresql_where=text("deleted_at IS NULL")),
        Index("ix_collections_owner", "tenant_id", "owner_id", "id"),
        Index(
            "ix_collections_shared",
            "tenant_id",
            "id",
            postgresql_where=text("visibility = 'tenant' AND deleted_at IS NULL"),
        ),
        CheckConstraint("visibility IN ('private', 'tenant')", name="visibility"),
        Index("ix_collections_deleted_at", "deleted_at", postgresql_where=text("deleted_at IS NOT NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    owner_id: Mapped[UUID]
    name: Mapped[str]
    description: Mapped[str | None]
    visibility: Mapped[str] = mapped_column(server_default=text("'private'"))
    embedding_model: Mapped[str | None]
    embedding_dimension: Mapped[int | None]
    revision: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    deleted_at: Mapped[datetime | None]


class Document(Base):
    """A document under its name. `active_version` is what searches find, `latest_version` what was uploaded last."""

    __tablename__ = "documents"
    __table_args__ = (
        Index("uq_documents_name", "collection_id", "name", unique=True, postgresql_where=text("deleted_at IS NULL")),
        Index("ix_documents_collection", "collection_id", "id"),
        Index("ix_documents_deleted_at", "deleted_at", postgresql_where=text("deleted_at IS NOT NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    collection_id: Mapped[UUID] = mapped_column(ForeignKey("collections.id", ondelete="CASCADE"))
    tenant_id: Mapped[UUID]
    owner_id: Mapped[UUID]
    name: Mapped[str]
    latest_version: Mapped[int] = mapped_column(server_default=text("0"))
    active_version: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    deleted_at: Mapped[datetime | None]


class DocumentVersion(Base):
    """One content of a document. A search at a revision r finds it when `found_from` <= r < `found_until`.

    `begun_at`: there may be vectors. `cleaned_at`: vectors and file are gone.
    """

    __tablename__ = "document_versions"
    __table_args__ = (
        Index("uq_document_versions_version", "document_id", "version", unique=True),
        Index(
            "ix_document_versions_hidden",
            "collection_id",
            postgresql_where=text(
                "begun_at IS NOT NULL AND cleaned_at IS NULL AND (found_from IS NULL OR found_until IS NOT NULL)"
            ),
        ),
        Index(
            "ix_document_versions_ended_at",
            "ended_at",
            postgresql_where=text("ended_at IS NOT NULL AND cleaned_at IS NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    document_id: Mapped[UUID] = mapped_column(ForeignKey("documents.id", ondelete="CASCADE"))
    collection_id: Mapped[UUID]
    tenant_id: Mapped[UUID]
    owner_id: Mapped[UUID]
    version: Mapped[int]
    content_type: Mapped[str]
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str]
    attributes: Mapped[dict[str, Any]]
    job_id: Mapped[UUID]
    passage_count: Mapped[int | None]
    found_from: Mapped[int | None] = mapped_column(BigInteger)
    found_until: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    begun_at: Mapped[datetime | None]
    activated_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    cleaned_at: Mapped[datetime | None]
