"""Documents: files and vectors that belong to nothing, and files that are gone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import batched
from typing import Any
from urllib.parse import quote
from uuid import UUID

import httpx2

from common.repository.document_cleanup import DocumentCleanupRepository
from common.repository.sql import UUIDS, fetch, statement
from common.storage.base import FileKey
from common.verify.check import MOST, Problem, Stores

_BATCH = 500
# Younger ones may be of an upload whose row is not committed yet.
_AGE = timedelta(minutes=10)
_EXPECTED = statement(
    """
    SELECT tenant_id, collection_id, id FROM document_versions
    WHERE ended_at IS NULL AND cleaned_at IS NULL AND created_at < now() - CAST('10 minutes' AS interval) LIMIT 100000
    """
)
_COLLECTIONS = statement("SELECT id FROM collections WHERE id = ANY(:ids)", ids=UUIDS)
CHROMA_COLLECTIONS = "/api/v2/tenants/default_tenant/databases/default_database/collections"


@dataclass(frozen=True, slots=True)
class FileCheck:
    """The cleaner removes the files of old contents; one that broke off leaves some behind."""

    name: str = "document-files"
    store: str = "files"
    promise: str = "every file of a document belongs to a content, and every content has its file"

    def is_for(self, _stores: Stores) -> bool:
        """There is always a place for files."""
        return True

    async def find(self, stores: Stores) -> list[Problem]:
        """Files without a content, and contents without a file; a place without any file is somebody else's."""
        old = datetime.now(UTC) - _AGE
        files = {each.key: each.modified_at async for each in stores.container.storage().list()}
        found, ids = [], [key.version_id for key in files]
        async with stores.container.sessions()() as db:
            known: set[UUID] = set()
            for part in batched(ids, _BATCH):
                known |= await DocumentCleanupRepository().known_versions(db, part)
            expected = [FileKey(*row) for row in await fetch(db, _EXPECTED, {})] if files else []
        for key, modified_at in files.items():
            if key.version_id not in known and modified_at < old:
                found.append(Problem(key.path, f"the file {key.path} belongs to no document"))
        lost = [key for key in expected if key not in files]
        found += [Problem(key.path, f"the file {key.path} is gone; upload its document again") for key in lost]
        return found[:MOST]

    async def mend(self, stores: Stores, problems: Sequence[Problem]) -> None:
        """Remove those that belong to nothing."""
        for problem in problems:
            key = FileKey.parse(problem.key)
            if key is not None and not problem.detail.endswith("again"):
                await stores.container.storage().delete(key)


@dataclass(frozen=True, slots=True)
class VectorCheck:
    """A deleted collection's vectors go with it; a restore of an older backup leaves some behind."""

    name: str = "vectors"
    store: str = "Chroma"
    promise: str = "all vectors are of collections that exist"

    def is_for(self, stores: Stores) -> bool:
        """Chroma is optional."""
        return stores.settings.chroma_url is not None

    async def find(self, stores: Stores) -> list[Problem]:
        """Collections of ours in Chroma that have no row."""
        prefix = f"{stores.environ.get('CHROMA_PREFIX') or 'letuin'}-"
        ids = {name: _read_id(name.removeprefix(prefix)) for name in await _names(stores) if name.startswith(prefix)}
        ours = {name: each for name, each in ids.items() if each is not None}
        async with stores.container.sessions()() as db:
            known = {row[0] for row in await fetch(db, _COLLECTIONS, {"ids": list(ours.values())})}
        strange = [name for name, each in ours.items() if each not in known]
        return [Problem(name, f"the vectors {name} are of no collection") for name in strange][:MOST]

    async def mend(self, stores: Stores, problems: Sequence[Problem]) -> None:
        """Remove them."""
        async with open_chroma(stores) as http:
            for problem in problems:
                (await http.delete(f"{CHROMA_COLLECTIONS}/{quote(problem.key, safe='')}")).raise_for_status()


def open_chroma(stores: Stores) -> httpx2.AsyncClient:
    """A client of the configured server."""
    assert stores.settings.chroma_url is not None
    url, headers = stores.settings.chroma_url, stores.settings.chroma_headers
    return httpx2.AsyncClient(base_url=url, headers=headers, timeout=15, trust_env=False)


async def _names(stores: Stores) -> list[str]:
    names: list[str] = []
    async with open_chroma(stores) as http:
        while True:
            answer = await http.get(CHROMA_COLLECTIONS, params={"limit": _BATCH, "offset": len(names)})
            answer.raise_for_status()
            page: list[dict[str, Any]] = answer.json()
            names += [str(each["name"]) for each in page]
            if len(page) < _BATCH:
                return names


def _read_id(text: str) -> UUID | None:
    try:
        return UUID(hex=text)
    except ValueError:
        return None


CHECKS = [FileCheck(), VectorCheck()]
