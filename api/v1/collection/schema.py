"""Collections and documents as those see them who may read them."""

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from api.v1.job.schema import JobSummary
from common.database.model import Visibility
from common.documents.question import MAX_PASSAGES, PassageFilter, PassageRead, QueryText
from common.repository.collection import CountedCollection
from common.repository.document import DocumentState, DocumentStatus
from common.repository.job import Owner

_PRINTABLE = r"^[^\x00-\x1f\x7f]*$"
_Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100, pattern=_PRINTABLE)]
_Description = Annotated[str, Field(max_length=500, pattern=_PRINTABLE)]
_ModelName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=_PRINTABLE)]


class CollectionCreate(BaseModel):
    """A new collection."""

    model_config = ConfigDict(extra="forbid")

    name: _Name = Field(description="Yours alone within your tenant.", examples=["handbooks"])
    description: _Description | None = None
    visibility: Visibility = Field(
        Visibility.PRIVATE, description="`tenant`: every member of your tenant may read and search it."
    )
    embedding_model: _ModelName | None = Field(
        None, description="Left out: the workers' default, from the first document on."
    )


class CollectionUpdate(BaseModel):
    """What to change; what is left out stays. A `description` of null removes it."""

    model_config = ConfigDict(extra="forbid")

    name: _Name | None = None
    description: _Description | None = None
    visibility: Visibility | None = Field(None, description="`private` ends the access of everybody else at once.")

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("name something to change")
        for name in self.model_fields_set - {"description"}:
            if getattr(self, name) is None:
                raise ValueError(f"{name} cannot be removed")
        return self

    @property
    def only_withdraws(self) -> bool:
        """Whether it does nothing but end what others may read."""
        return self.model_fields_set == {"visibility"} and self.visibility is Visibility.PRIVATE


class CollectionRead(BaseModel):
    """A collection. Its embedding model is fixed by its first document and never changes."""

    id: UUID
    name: str
    description: str | None
    visibility: Visibility = Field(description="`tenant`: shared with every member of the owner's tenant.")
    owner_id: UUID
    is_owner: bool = Field(description="Whether it is yours; nobody else changes it, uploads or deletes.")
    embedding_model: str | None
    embedding_dimension: int | None
    document_count: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, found: CountedCollection, reader: Owner) -> Self:
        """The collection with its count, as `reader` sees it."""
        collection = found.collection
        return cls(
            id=collection.id,
            name=collection.name,
            description=collection.description,
            visibility=Visibility(collection.visibility),
            owner_id=collection.owner_id,
            is_owner=collection.owner_id == reader.user_id,
            embedding_model=collection.embedding_model,
            embedding_dimension=collection.embedding_dimension,
            document_count=found.document_count,
            created_at=collection.created_at,
            updated_at=collection.updated_at,
        )


class CollectionPage(BaseModel):
    """Collections, newest first. `next_cursor` is missing on the last page."""

    items: list[CollectionRead]
    next_cursor: str | None


class DocumentRead(BaseModel):
    """A document, described by the content that was uploaded last. Searches find `active_version`."""

    id: UUID
    collection_id: UUID
    name: str
    status: DocumentStatus
    version: int = Field(description="Grows with every content.")
    active_version: int | None = Field(description="The content that searches find; missing before the first is ready.")
    content_type: str
    size: int = Field(description="Bytes.")
    sha256: str
    attributes: dict[str, Any]
    passages: int | None = Field(description="How many there are once it is ready.")
    progress: dict[str, Any] | None
    error: dict[str, Any] | None
    job_id: UUID
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, state: DocumentState) -> Self:
        """The document as it stands."""
        document, version = state.document, state.version
        status = state.status
        return cls(
            id=document.id,
            collection_id=document.collection_id,
            name=document.name,
            status=status,
            version=version.version,
            active_version=document.active_version,
            content_type=version.content_type,
            size=version.size,
            sha256=version.sha256,
            attributes=version.attributes,
            passages=version.passage_count,
            progress=state.job_progress if status is DocumentStatus.INGESTING else None,
            error=state.job_error if status is DocumentStatus.FAILED else None,
            job_id=version.job_id,
            created_at=document.created_at,
            updated_at=document.updated_at,
        )


class DocumentPage(BaseModel):
    """Documents, newest first. `next_cursor` is missing on the last page."""

    items: list[DocumentRead]
    next_cursor: str | None


class DocumentAccepted(BaseModel):
    """An uploaded document, and the job that makes it searchable; missing when that job was purged long ago."""

    document: DocumentRead
    job: JobSummary | None


class SearchRequest(BaseModel):
    """What to look for."""

    model_config = ConfigDict(extra="forbid")

    query: QueryText
    limit: int = Field(5, ge=1, le=MAX_PASSAGES)
    filter: PassageFilter | None = None


class SearchAnswer(BaseModel):
    """The passages most alike to the query, best first."""

    passages: list[PassageRead]
    job_id: UUID
