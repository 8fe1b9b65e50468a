"""The ports by which handlers read and change documents."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document that a search found. `score` is from 0 (unlike) to 1 (alike)."""

    document_id: UUID
    document_name: str
    index: int
    text: str
    score: float
    metadata: Mapping[str, Any] = field(default_factory=dict)


class Retriever(Protocol):
    """The collections that the job's owner may read: their own, and those shared with their tenant."""

    async def retrieve(
        self, collection_id: UUID, query: str, *, limit: int = 5, where: Mapping[str, Any] | None = None
    ) -> list[Passage]:
        """The passages most alike to `query`, best first; `where` narrows by metadata and never widens the tenant.

        Raises `PermanentError` for a collection that the owner may not read or a `where` that is no filter, and as
        `EmbeddingModel.embed` does.
        """
        ...


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What became of a content. `embedded` passages were new; the others had their vectors already.

    `is_found` is False when a newer content, or the end of the document, came first.
    """

    document_id: UUID
    version: int
    passages: int
    embedded: int
    is_found: bool


@dataclass(frozen=True, slots=True)
class CleanReport:
    """How many contents, whole collections, stray vectors and stray files were removed."""

    contents: int
    collections: int
    stray_vectors: int
    stray_files: int


class DocumentStore(Protocol):
    """The documents of the installation, to write."""

    async def ingest(
        self, version_id: UUID, report: Callable[[float, str], Awaitable[None]], *, again: bool = False
    ) -> IngestReport:
        """Turn an uploaded content of the job's owner into passages that searches find, all at once at the end.

        One that searches find already is left as it is, unless it shall be done `again` because its vectors are gone.
        `report` gets a fraction and what is going on. An attempt after a crash goes on where the vectors end. Raises
        `PermanentError` for what cannot be read, `TransientError`, and as `EmbeddingModel.embed` does.
        """
        ...

    async def clean(self, *, sweep: bool) -> CleanReport:
        """Remove what nobody finds any more; with `sweep` also vectors and files that belong to nothing."""
        ...
