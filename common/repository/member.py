"""Queries about the users of a tenant, as its admins look after them. Every query names the tenant."""

from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from common.database.model import Role, User
from common.dto.user import NewMember, UserChanges, UserFilter
from common.repository.sql import Executor

SERVICE_DOMAIN = "service.letuin.invalid"
"""Where the addresses of service accounts are; no mail can go there, and nobody can sign in as one."""


class MemberRepository:
    """The users of a tenant."""

    async def find(self, db: Executor, user_id: UUID, tenant_id: UUID) -> User | None:
        """The tenant's user of this id."""
        query = select(User).where(User.id == user_id, User.tenant_id == tenant_id)
        return (await db.execute(query)).scalar_one_or_none()

    async def list_page(self, db: Executor, tenant_id: UUID, wanted: UserFilter) -> list[User]:
        """One page of the tenant's users, newest first."""
        query = select(User).where(User.tenant_id == tenant_id)
        if wanted.role is not None:
            query = query.where(User.role == wanted.role)
        if wanted.is_active is not None:
            query = query.where(User.is_active.is_(wanted.is_active))
        if wanted.is_service is not None:
            query = query.where(User.is_service.is_(wanted.is_service))
        if wanted.before_id is not None:
            query = query.where(User.id < wanted.before_id)
        return list((await db.execute(query.order_by(User.id.desc()).limit(wanted.limit))).scalars())

    async def insert(self, db: Executor, new: NewMember) -> User | None:
        """Add a user without a password. None when the address is taken."""
        values = {
            "id": new.id,
            "tenant_id": new.tenant_id,
            "email": new.email.strip().lower() if new.email else f"{new.id}@{SERVICE_DOMAIN}",
            "name": new.name,
            "role": str(new.role),
            "is_service": new.is_service,
        }
        query = insert(User).values(values).on_conflict_do_nothing(index_elements=[User.email]).returning(User)
        return (await db.execute(query)).scalar_one_or_none()

    async def update(self, db: Executor, user_id: UUID, tenant_id: UUID, changes: UserChanges) -> User:
        """Change a user who is there; a change of role or activity outdates every token."""
        values: dict[str, Any] = {"updated_at": func.now()}
        if changes.name is not None:
            values["name"] = changes.name
        if changes.role is not None:
            values["role"] = str(changes.role)
        if changes.is_active is not None:
            values["is_active"] = changes.is_active
        if changes.concerns_access:
            values["token_version"] = User.token_version + 1
        query = update(User).where(User.id == user_id, User.tenant_id == tenant_id).values(values).returning(User)
        return (await db.execute(query, execution_options={"populate_existing": True})).scalar_one()

    async def delete(self, db: Executor, user_id: UUID, tenant_id: UUID) -> None:
        """Remove a user, with sessions and keys. Jobs stay with the tenant."""
        await db.execute(delete(User).where(User.id == user_id, User.tenant_id == tenant_id))

    async def move(self, db: Executor, user_id: UUID, *, source: UUID, target: UUID, role: Role) -> User:
        """Make a user of `source` one of `target`; every token is outdated."""
        values = {"tenant_id": target, "role": str(role), "token_version": User.token_version + 1}
        query = update(User).where(User.id == user_id, User.tenant_id == source)
        query = query.values(**values, updated_at=func.now())
        return (await db.execute(query.returning(User), execution_options={"populate_existing": True})).scalar_one()

    async def lock_admins(self, db: Executor, tenant_id: UUID) -> set[UUID]:
        """The active people who are admins of the tenant; they stay so until the transaction ends."""
        query = select(User.id).where(User.tenant_id == tenant_id, User.role == Role.ADMIN)
        query = query.where(User.is_active, User.is_service.is_(False), User.password_hash.is_not(None))
        return set((await db.execute(query.order_by(User.id).with_for_update())).scalars())
