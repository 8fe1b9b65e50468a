"""The port by which handlers change documents."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID


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

    async def ingest(self, version_id: UUID, report: Callable[[float, str], Awaitable[None]]) -> IngestReport:
        """Turn an uploaded content of the job's owner into passages that searches find, all at once at the end.

        `report` gets a fraction and what is going on. An attempt after a crash goes on where the vectors end. Raises
        `PermanentError` for what cannot be read, `TransientError`, and as `EmbeddingModel.embed` does.
        """
        ...

    async def clean(self, *, sweep: bool) -> CleanReport:
        """Remove what nobody finds any more; with `sweep` also vectors and files that belong to nothing."""
        ...
