"""Queries about API keys. Every one but the search by prefix, which finds out who calls, names tenant and owner."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, insert, or_, select, update

from common.database.model import ApiKey, User
from common.repository.job import Owner
from common.repository.sql import Executor

_PRECISION = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class NewApiKey:
    """A key that is about to be inserted."""

    id: UUID
    owner: Owner
    created_by: UUID
    name: str
    prefix: str
    secret_hash: bytes
    scopes: Sequence[str]
    expires_at: datetime | None


class ApiKeyRepository:
    """Keys of users and services."""

    async def insert(self, db: Executor, key: NewApiKey) -> ApiKey:
        """Insert a key and return its row."""
        values = {
            "id": key.id,
            "tenant_id": key.owner.tenant_id,
            "owner_id": key.owner.user_id,
            "created_by": key.created_by,
            "name": key.name,
            "prefix": key.prefix,
            "secret_hash": key.secret_hash,
            "scopes": list(key.scopes),
            "expires_at": key.expires_at,
        }
        return (await db.execute(insert(ApiKey).values(values).returning(ApiKey))).scalar_one()

    async def find_by_prefix(self, db: Executor, prefix: str) -> tuple[ApiKey, User] | None:
        """The key that is valid now, with its active owner. The caller still compares the secret."""
        query = select(ApiKey, User).join(User, (User.id == ApiKey.owner_id) & (User.tenant_id == ApiKey.tenant_id))
        query = query.where(ApiKey.prefix == prefix, ApiKey.revoked_at.is_(None), User.is_active)
        query = query.where(or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > func.now()))
        row = (await db.execute(query)).one_or_none()
        return None if row is None else (row[0], row[1])

    async def is_valid(self, db: Executor, key_id: UUID, tenant_id: UUID) -> bool:
        """Whether the key can be used now."""
        query = select(ApiKey.id).where(ApiKey.id == key_id, ApiKey.tenant_id == tenant_id)
        query = query.where(ApiKey.revoked_at.is_(None))
        query = query.where(or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > func.now()))
        return (await db.execute(query)).first() is not None

    async def list_page(self, db: Executor, owner: Owner, *, before_id: UUID | None, limit: int) -> list[ApiKey]:
        """One page of the owner's keys, newest first, revoked ones included."""
        query = select(ApiKey).where(ApiKey.tenant_id == owner.tenant_id, ApiKey.owner_id == owner.user_id)
        if before_id is not None:
            query = query.where(ApiKey.id < before_id)
        return list((await db.execute(query.order_by(ApiKey.id.desc()).limit(limit))).scalars())

    async def find(self, db: Executor, key_id: UUID, tenant_id: UUID) -> ApiKey | None:
        """The tenant's key of this id; whose it is, the caller compares."""
        query = select(ApiKey).where(ApiKey.id == key_id, ApiKey.tenant_id == tenant_id)
        return (await db.execute(query)).scalar_one_or_none()

    async def count_valid(self, db: Executor, owner: Owner) -> int:
        """How many keys of the owner can be used now."""
        query = select(func.count()).where(ApiKey.tenant_id == owner.tenant_id, ApiKey.owner_id == owner.user_id)
        query = query.where(ApiKey.revoked_at.is_(None))
        query = query.where(or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > func.now()))
        return (await db.execute(query)).scalar_one()

    async def note_use(self, db: Executor, key: ApiKey) -> None:
        """Remember that the key was used, at most once a minute."""
        is_stale = or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at < func.now() - _PRECISION)
        query = update(ApiKey).where(ApiKey.id == key.id, ApiKey.tenant_id == key.tenant_id, is_stale)
        await db.execute(query.values(last_used_at=func.now()))

    async def revoke(self, db: Executor, key_id: UUID, tenant_id: UUID) -> None:
        """End a key, for good."""
        query = update(ApiKey).where(ApiKey.id == key_id, ApiKey.tenant_id == tenant_id, ApiKey.revoked_at.is_(None))
        await db.execute(query.values(revoked_at=func.now()))

    async def revoke_all(self, db: Executor, owner: Owner) -> None:
        """End every key of the owner."""
        query = update(ApiKey).where(ApiKey.tenant_id == owner.tenant_id, ApiKey.owner_id == owner.user_id)
        await db.execute(query.where(ApiKey.revoked_at.is_(None)).values(revoked_at=func.now()))
