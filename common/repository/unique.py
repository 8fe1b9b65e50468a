"""Queries about unique slots: one row for each unique key, locked by every submit that names it."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Text, Uuid
from sqlalchemy.dialects.postgresql import INTERVAL

from common.repository.job import Owner
from common.repository.sql import Executor, execute, statement


@dataclass(frozen=True, slots=True)
class SlotName:
    """What a unique key belongs to."""

    owner: Owner
    kind: str
    key: str


@dataclass(frozen=True, slots=True)
class Slot:
    """A locked slot: its newest job, the one that it was put behind, and whether it was taken within the period."""

    job_id: UUID
    behind_id: UUID | None
    is_recent: bool


_LOCK = statement(
    """
    INSERT INTO unique_slots AS slot (tenant_id, owner_id, kind, key, job_id, taken_at, keep_until)
    VALUES (:tenant, :owner, :kind, :key, :job, clock_timestamp(), clock_timestamp() + :keep)
    ON CONFLICT (tenant_id, owner_id, kind, key) DO UPDATE SET keep_until = clock_timestamp() + :keep
    RETURNING job_id, behind_id, coalesce(taken_at > clock_timestamp() - :period, false) AS is_recent
    """,
    tenant=Uuid(),
    owner=Uuid(),
    job=Uuid(),
    keep=INTERVAL(),
    period=INTERVAL(),
)
_GIVE = statement(
    """
    UPDATE unique_slots SET job_id = :job, behind_id = :behind, taken_at = clock_timestamp()
    WHERE tenant_id = :tenant AND owner_id = :owner AND kind = :kind AND key = :key
    """,
    tenant=Uuid(),
    owner=Uuid(),
    job=Uuid(),
    behind=Uuid(),
)
# Only a job that was never started may change; with `postpone` it starts that much later, `max_delay` at most.
_REPLACE = statement(
    """
    UPDATE jobs SET payload = CAST(:payload AS jsonb), metadata = CAST(:metadata AS jsonb), tags = new.tags,
                    run_at = new.run_at, rank_at = new.run_at - priority * interval '1 minute',
                    next_dispatch_at = greatest(new.run_at, now()) + interval '10 seconds',
                    dispatch_no = dispatch_no + 1, updated_at = clock_timestamp()
    FROM (SELECT id AS job_id,
                 ARRAY(SELECT jsonb_array_elements_text(CAST(:tags AS jsonb))) AS tags,
                 CASE WHEN :postpone IS NULL THEN run_at
                      ELSE greatest(run_at, least(now() + :postpone, created_at + :max_delay)) END AS run_at
          FROM jobs WHERE id = :id AND status = 'queued' AND attempt = 0 FOR UPDATE) AS new
    WHERE id = new.job_id
    RETURNING id
    """,
    id=Uuid(),
    payload=Text(),
    metadata=Text(),
    tags=Text(),
    postpone=INTERVAL(),
    max_delay=INTERVAL(),
)


class UniqueRepository:
    """Who holds a unique key."""

    async def lock(
        self, db: Executor, name: SlotName, job_id: UUID, *, keep: timedelta, period: timedelta | None
    ) -> Slot:
        """Lock the slot until the transaction ends; a free one is given to `job_id`."""
        values = {**_columns(name), "job": job_id, "keep": keep, "period": period}
        return Slot(**(await execute(db, _LOCK, values)).mappings().one())

    async def give(self, db: Executor, name: SlotName, job_id: UUID, *, behind_id: UUID | None = None) -> None:
        """Make `job_id` the newest job of a locked slot."""
        await execute(db, _GIVE, {**_columns(name), "job": job_id, "behind": behind_id})

    async def replace(
        self,
        db: Executor,
        job_id: UUID,
        *,
        payload_json: str,
        metadata_json: str | None,
        tags_json: str,
        postpone: timedelta | None = None,
        max_delay: timedelta | None = None,
    ) -> bool:
        """Give a job that was never started a newer payload, and a later start. False when it has started."""
        values = {"id": job_id, "payload": payload_json, "metadata": metadata_json, "tags": tags_json}
        result = await execute(db, _REPLACE, {**values, "postpone": postpone, "max_delay": max_delay})
        return result.first() is not None


def _columns(name: SlotName) -> dict[str, Any]:
    return {"tenant": name.owner.tenant_id, "owner": name.owner.user_id, "kind": name.kind, "key": name.key}
