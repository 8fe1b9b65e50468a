"""Queries about batches: jobs that were submitted together."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Integer, Uuid, select
from sqlalchemy.dialects.postgresql import JSONB

from common.database.model import Batch
from common.repository.job import Owner
from common.repository.reach import Reach, within
from common.repository.sql import Executor, execute, statement

_INSERT = statement(
    """
    INSERT INTO batches (id, tenant_id, owner_id, total, metadata) VALUES (:id, :tenant, :owner, :total, :metadata)
    RETURNING created_at
    """,
    id=Uuid(),
    tenant=Uuid(),
    owner=Uuid(),
    total=Integer(),
    metadata=JSONB(none_as_null=True),
)
_COUNT = statement("SELECT status, count(*) AS jobs FROM jobs WHERE batch_id = :id GROUP BY status", id=Uuid())


class BatchRepository:
    """The owner's view of batches."""

    async def insert(
        self, db: Executor, batch_id: UUID, owner: Owner, *, total: int, metadata: Mapping[str, Any] | None
    ) -> Batch:
        """Record a batch of `total` accepted jobs and return its row."""
        values = {"id": batch_id, "tenant": owner.tenant_id, "owner": owner.user_id, "total": total}
        created_at = (await execute(db, _INSERT, {**values, "metadata": metadata})).scalar_one()
        return Batch(
            id=batch_id,
            tenant_id=owner.tenant_id,
            owner_id=owner.user_id,
            total=total,
            annotations=None if metadata is None else dict(metadata),
            created_at=created_at,
        )

    async def find(self, db: Executor, batch_id: UUID, reach: Reach) -> Batch | None:
        """The batch, or None when there is none within reach."""
        query = select(Batch).where(Batch.id == batch_id, *within(Batch, reach))
        return (await db.execute(query)).scalar_one_or_none()

    async def count_by_status(self, db: Executor, batch_id: UUID) -> dict[str, int]:
        """How many of the batch's jobs have each status, of those that retention has left."""
        return {row.status: row.jobs for row in await execute(db, _COUNT, {"id": batch_id})}
