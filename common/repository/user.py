"""Queries about users and their tenants, and the two users that every installation has."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from common.database.model import LoginSession, Role, Tenant, User
from common.repository.sql import Executor

DEFAULT_TENANT_ID = UUID("00000000-0000-7000-8000-000000000001")


@dataclass(frozen=True, slots=True)
class BuiltinUser:
    """A user without a password, known before any database is."""

    id: UUID
    email: str
    role: Role


LOCAL_USER = BuiltinUser(UUID("00000000-0000-7000-8000-000000000002"), "local@letuin.invalid", Role.ADMIN)
"""Who a request without a token is, where ENVIRONMENT allows such requests."""

SERVICE_USER = BuiltinUser(UUID("00000000-0000-7000-8000-000000000003"), "service@letuin.invalid", Role.ADMIN)
"""Who a request with ACCESS_TOKEN is."""


ACCOUNTS_ID = UUID("00000000-0000-7000-8000-000000000004")
"""Tenant and owner of the jobs that mail people about their accounts; nobody can be it."""


@dataclass(frozen=True, slots=True)
class NewUser:
    """A user that is about to be inserted."""

    id: UUID
    tenant_id: UUID
    email: str
    password_hash: str | None
    role: Role = Role.USER


class UserRepository:
    """Users. An e-mail address is one user's, whatever its case."""

    async def find(self, db: Executor, user_id: UUID) -> User | None:
        """The user of this id."""
        return (await db.execute(select(User).where(User.id == user_id))).scalar_one_or_none()

    async def find_signed_in(self, db: Executor, user_id: UUID, session_id: UUID) -> User | None:
        """The user of this id, while this session of theirs lasts."""
        now = func.clock_timestamp()
        query = select(User).join(LoginSession, LoginSession.owner_id == User.id)
        query = query.where(User.id == user_id, LoginSession.id == session_id, LoginSession.ended_at.is_(None))
        query = query.where(LoginSession.tenant_id == User.tenant_id)
        query = query.where(LoginSession.expires_at > now, LoginSession.idle_until > now)
        return (await db.execute(query)).scalar_one_or_none()

    async def find_by_email(self, db: Executor, email: str) -> User | None:
        """The user of this address."""
        return (await db.execute(select(User).where(User.email == email.strip().lower()))).scalar_one_or_none()

    async def create(self, db: Executor, user: NewUser) -> bool:
        """Insert a user. False when the address is taken."""
        values = {
            "id": user.id,
            "tenant_id": user.tenant_id,
            "email": user.email.strip().lower(),
            "password_hash": user.password_hash,
            "role": str(user.role),
        }
        query = insert(User).values(values).on_conflict_do_nothing(index_elements=[User.email]).returning(User.id)
        return (await db.execute(query)).first() is not None

    async def set_password_hash(self, db: Executor, user_id: UUID, *, old: str, new: str) -> None:
        """Replace a hash that nobody else has replaced meanwhile."""
        query = update(User).where(User.id == user_id, User.password_hash == old)
        await db.execute(query.values(password_hash=new, updated_at=func.now()))

    async def ensure_default_tenant(self, db: Executor) -> None:
        """Make the tenant that accounts belong to when nobody says otherwise."""
        await db.execute(insert(Tenant).values(id=DEFAULT_TENANT_ID, name="default").on_conflict_do_nothing())

    async def ensure_builtin(self, db: Executor, user: BuiltinUser) -> None:
        """Make a built-in user and its tenant where they are missing."""
        await self.ensure_default_tenant(db)
        row = NewUser(user.id, DEFAULT_TENANT_ID, user.email, None, user.role)
        await self.create(db, row)
