"""Counts of what waits, for the limits at submit. Costs one index scan over the queued rows."""

from dataclasses import dataclass
from uuid import UUID

from common.repository.sql import Executor, execute, statement


@dataclass(frozen=True, slots=True)
class Depth:
    """How many jobs of one owner wait in one queue."""

    queue: str
    tenant_id: UUID
    owner_id: UUID
    jobs: int


_COUNT = statement(
    "SELECT queue, tenant_id, owner_id, count(*) AS jobs FROM jobs WHERE status = 'queued' GROUP BY 1, 2, 3"
)


class DepthRepository:
    """What waits, by queue and owner."""

    async def count(self, db: Executor) -> list[Depth]:
        """Every queue and owner with waiting jobs."""
        return [Depth(**row) for row in (await execute(db, _COUNT, {})).mappings()]
