"""Queries about idempotency keys: one row for each key of an owner and route, taken in the transaction of its jobs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, Uuid, select
from sqlalchemy.dialects.postgresql import INTERVAL, JSONB

from common.database.model import IdempotencyKey
from common.repository.job import Owner
from common.repository.sql import Executor, execute, statement


@dataclass(frozen=True, slots=True)
class RequestKey:
    """A client's key for one request to one route, with a digest of the request's content."""

    route: str
    key: str
    fingerprint: str


# Waits for a concurrent holder of the key to commit; a key that is over, or whose job failed, is taken again.
_TAKE = statement(
    """
    INSERT INTO idempotency_keys AS held (tenant_id, owner_id, route, key, fingerprint, expires_at)
    VALUES (:tenant, :owner, :route, :key, :fingerprint, clock_timestamp() + :lifetime)
    ON CONFLICT (tenant_id, owner_id, route, key) DO UPDATE
        SET fingerprint = :fingerprint, expires_at = clock_timestamp() + :lifetime, job_id = NULL, batch_id = NULL,
            items = NULL
        WHERE held.expires_at <= clock_timestamp()
           OR (:release_failed AND EXISTS (SELECT FROM jobs WHERE jobs.id = held.job_id AND jobs.status = 'failed'))
    RETURNING key
    """,
    tenant=Uuid(),
    owner=Uuid(),
    lifetime=INTERVAL(),
    release_failed=Boolean(),
)
_KEEP = statement(
    """
    UPDATE idempotency_keys SET job_id = :job, batch_id = :batch, items = :items
    WHERE tenant_id = :tenant AND owner_id = :owner AND route = :route AND key = :key
    """,
    tenant=Uuid(),
    owner=Uuid(),
    job=Uuid(),
    batch=Uuid(),
    items=JSONB(none_as_null=True),
)


class IdempotencyRepository:
    """Which request came first."""

    async def take(
        self, db: Executor, owner: Owner, key: RequestKey, *, lifetime: timedelta, release_failed: bool
    ) -> bool:
        """Whether the key is this request's from now on; False when an earlier request has it."""
        values = {"fingerprint": key.fingerprint, "lifetime": lifetime, "release_failed": release_failed}
        return (await execute(db, _TAKE, {**_names(owner, key), **values})).first() is not None

    async def keep(
        self,
        db: Executor,
        owner: Owner,
        key: RequestKey,
        *,
        job_id: UUID | None = None,
        batch_id: UUID | None = None,
        items: Sequence[Any] | None = None,
    ) -> None:
        """Record what came of the request: its job, or its batch and the outcome of each item."""
        values = {"job": job_id, "batch": batch_id, "items": None if items is None else list(items)}
        await execute(db, _KEEP, {**_names(owner, key), **values})

    async def get(self, db: Executor, owner: Owner, key: RequestKey) -> IdempotencyKey:
        """The row of a key that `take` did not give."""
        query = select(IdempotencyKey).where(
            IdempotencyKey.tenant_id == owner.tenant_id,
            IdempotencyKey.owner_id == owner.user_id,
            IdempotencyKey.route == key.route,
            IdempotencyKey.key == key.key,
        )
        return (await db.execute(query)).scalar_one()


def _names(owner: Owner, key: RequestKey) -> dict[str, Any]:
    return {"tenant": owner.tenant_id, "owner": owner.user_id, "route": key.route, "key": key.key}
