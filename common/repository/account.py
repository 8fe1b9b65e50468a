"""Queries that make and change accounts: what is written for the people who sign in, by themselves."""

from uuid import UUID

from sqlalchemy import func, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from common.database.model import EmailCode, User
from common.ids import new_id
from common.repository.sql import Executor
from common.repository.user import DEFAULT_TENANT_ID


class AccountRepository:
    """Users as their own editors. An address belongs to one user."""

    async def create_verified(self, db: Executor, registration: EmailCode) -> User | None:
        """The user that this registration wanted, its address verified; None when the address was taken meanwhile."""
        values = {
            "id": new_id(),
            "tenant_id": DEFAULT_TENANT_ID,
            "email": registration.email,
            "name": registration.name,
            "locale": registration.locale,
            "password_hash": registration.password_hash,
            "email_verified_at": func.clock_timestamp(),
            "password_changed_at": registration.created_at,
        }
        query = insert(User).values(values).on_conflict_do_nothing(index_elements=[User.email]).returning(User)
        return (await db.execute(query)).scalar_one_or_none()

    async def set_password(
        self, db: Executor, user_id: UUID, password_hash: str, *, old: str | None = None
    ) -> int | None:
        """Replace the password, and end every access token. Returns the new token version.

        With `old`, None when somebody else has replaced that hash meanwhile.
        """
        query = update(User).where(User.id == user_id, User.is_active)
        if old is not None:
            query = query.where(User.password_hash == old)
        query = query.values(
            password_hash=password_hash,
            password_changed_at=func.clock_timestamp(),
            token_version=User.token_version + 1,
            updated_at=func.now(),
        )
        return (await db.execute(query.returning(User.token_version))).scalar_one_or_none()

    async def end_tokens(self, db: Executor, user_id: UUID) -> None:
        """End every access token of the user."""
        query = update(User).where(User.id == user_id)
        await db.execute(query.values(token_version=User.token_version + 1, updated_at=func.now()))

    async def confirm_email(self, db: Executor, user_id: UUID) -> None:
        """Note that the user reads the mails of their address."""
        query = update(User).where(User.id == user_id, User.email_verified_at.is_(None))
        await db.execute(query.values(email_verified_at=func.clock_timestamp(), updated_at=func.now()))

    async def set_email(self, db: Executor, user_id: UUID, email: str) -> bool:
        """Give the user a verified address. False when it is another's; then the transaction can only end."""
        query = update(User).where(User.id == user_id, User.is_active)
        query = query.values(email=email, email_verified_at=func.clock_timestamp(), updated_at=func.now())
        try:
            return (await db.execute(query.returning(User.id))).first() is not None
        except IntegrityError:
            return False
