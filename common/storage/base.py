"""A place for files, whose names are made of ids only."""

from collections.abc import AsyncGenerator, AsyncIterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, Self
from uuid import UUID


@dataclass(frozen=True, slots=True)
class FileKey:
    """The file of one version of a document. Nothing that a user chose is in its path."""

    tenant_id: UUID
    collection_id: UUID
    version_id: UUID

    @property
    def path(self) -> str:
        """Tenant, collection and version, as three segments."""
        return f"{self.tenant_id}/{self.collection_id}/{self.version_id}"

    @classmethod
    def parse(cls, path: str) -> Self | None:
        """The key of a path; None for what is not one of ours."""
        try:
            tenant_id, collection_id, version_id = (UUID(part) for part in path.split("/"))
        except ValueError:
            return None
        key = cls(tenant_id, collection_id, version_id)
        return key if key.path == path else None


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One file that is there, and since when."""

    key: FileKey
    modified_at: datetime


class FileStorage(Protocol):
    """Keeps files. Every method raises `OSError` when the place does not work."""

    async def write(self, key: FileKey, pieces: AsyncIterable[bytes]) -> None:
        """Keep a file. When this returns, it is durable; when it raises, there is none."""
        ...

    def read(self, key: FileKey) -> AsyncGenerator[bytes, None]:
        """The file in pieces. Raises `FileNotFoundError`."""
        ...

    async def delete(self, key: FileKey) -> None:
        """Remove a file; one that is not there is no error."""
        ...

    def list(self) -> AsyncGenerator[StoredFile, None]:
        """Every file, in no order."""
        ...

    async def check(self) -> str:
        """Write, read and remove a small file; returns where the storage is."""
        ...
