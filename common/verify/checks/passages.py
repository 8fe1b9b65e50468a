"""Documents whose vectors are gone."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import batched, groupby
from uuid import UUID

import httpx2

from common.jobs.document_ingest import DocumentIngestPayload, document_ingest
from common.repository.document import DocumentRepository
from common.repository.job import Owner
from common.repository.sql import fetch, statement
from common.verify.check import MOST, Problem, Stores
from common.verify.checks.documents import CHROMA_COLLECTIONS, open_chroma

_BATCH = 500
_FOUND = statement(
    """
    SELECT v.id, v.collection_id, v.document_id, v.tenant_id, v.owner_id, v.passage_count, d.name
    FROM document_versions AS v
    JOIN documents AS d ON d.id = v.document_id AND d.deleted_at IS NULL
    JOIN collections AS c ON c.id = v.collection_id AND c.deleted_at IS NULL
    LEFT JOIN jobs AS j ON j.id = v.job_id
    WHERE v.found_from IS NOT NULL AND v.found_until IS NULL AND v.ended_at IS NULL AND v.passage_count > 0
      AND coalesce(j.status, '') NOT IN ('queued', 'running')
    ORDER BY v.collection_id LIMIT 100000
    """
)


@dataclass(frozen=True, slots=True)
class _Indexed:
    """A content that searches find. `document` is its document's id."""

    id: UUID
    collection: UUID
    document: UUID
    owner: Owner
    passages: int
    name: str


@dataclass(frozen=True, slots=True)
class PassageCheck:
    """Chroma was emptied, or restored from an older copy: the vectors can be made again, the files are there."""

    name: str = "passages"
    store: str = "Chroma"
    promise: str = "every document that can be found has its vectors"

    def is_for(self, stores: Stores) -> bool:
        """Chroma is optional."""
        return stores.settings.chroma_url is not None

    async def find(self, stores: Stores) -> list[Problem]:
        """Contents without their vectors, but for those that are being ingested."""
        prefix = stores.environ.get("CHROMA_PREFIX") or "letuin"
        found: list[Problem] = []
        async with open_chroma(stores) as http:
            for collection, group in groupby(await _indexed(stores), key=lambda each: each.collection):
                versions = list(group)
                there = await _count_there(http, f"{prefix}-{collection.hex}", versions)
                for each in versions:
                    if (count := there[each.id]) < each.passages:
                        detail = f"{each.name!r} of {collection} has {count} of {each.passages} vectors"
                        found.append(Problem(str(each.id), detail))
        return found[:MOST]

    async def mend(self, stores: Stores, problems: Sequence[Problem]) -> None:
        """Have a worker make them again, by a job each."""
        wanted = {problem.key for problem in problems}
        for each in await _indexed(stores):
            if str(each.id) in wanted:
                payload = DocumentIngestPayload(
                    collection_id=each.collection, document_id=each.document, version_id=each.id, again=True
                )
                job = await stores.container.queue().submit(document_ingest, payload, owner=each.owner)
                async with stores.container.sessions().begin() as db:
                    await DocumentRepository().set_job(db, each.id, each.owner, job.id)


async def _indexed(stores: Stores) -> list[_Indexed]:
    async with stores.container.sessions()() as db:
        rows = await fetch(db, _FOUND, {})
    return [_Indexed(row[0], row[1], row[2], Owner(row[3], row[4]), row[5], row[6]) for row in rows]


async def _count_there(http: httpx2.AsyncClient, collection: str, versions: Sequence[_Indexed]) -> dict[UUID, int]:
    """How many passages of each content Chroma has; only looked at one by one when some must be missing."""
    found = await http.get(f"{CHROMA_COLLECTIONS}/{collection}")
    if found.status_code == httpx2.codes.NOT_FOUND:
        return {each.id: 0 for each in versions}
    path = f"{CHROMA_COLLECTIONS}/{found.raise_for_status().json()['id']}"
    if (await http.get(f"{path}/count")).raise_for_status().json() >= sum(each.passages for each in versions):
        return {each.id: each.passages for each in versions}
    there = dict[UUID, int]()
    for each in versions:
        there[each.id] = 0
        for numbers in batched(range(each.passages), _BATCH):
            asked = {"ids": [f"{each.id}:{number}" for number in numbers], "include": []}
            answer = (await http.post(f"{path}/get", json=asked)).raise_for_status()
            there[each.id] += len(answer.json()["ids"])
    return there


CHECKS = [PassageCheck()]
