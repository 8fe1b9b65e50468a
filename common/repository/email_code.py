"""Queries about codes that were sent by mail. A code goes with its first use; the later of two for a purpose counts."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import Interval, delete, func, literal, select
from sqlalchemy.dialects.postgresql import insert

from common.database.model import CodePurpose, EmailCode
from common.repository.sql import Executor


@dataclass(frozen=True, slots=True)
class NewCode:
    """A code that is about to be sent. What a registration does not know yet is None."""

    code_hash: bytes
    purpose: CodePurpose
    email: str
    lifetime: timedelta
    owner_id: UUID | None = None
    session_id: UUID | None = None
    password_hash: str | None = None
    name: str | None = None
    locale: str | None = None


class EmailCodeRepository:
    """Codes, by their SHA-256."""

    async def insert(self, db: Executor, new: NewCode) -> None:
        """Keep a code. The owner's earlier codes for the same purpose go."""
        if new.owner_id is not None:
            await self.delete_of(db, new.owner_id, new.purpose)
        values = {
            "code_hash": new.code_hash,
            "purpose": str(new.purpose),
            "email": new.email,
            "owner_id": new.owner_id,
            "session_id": new.session_id,
            "password_hash": new.password_hash,
            "name": new.name,
            "locale": new.locale,
            "expires_at": func.clock_timestamp() + literal(new.lifetime, Interval()),
        }
        await db.execute(insert(EmailCode).values(values))

    async def find(self, db: Executor, code_hash: bytes, purpose: CodePurpose) -> EmailCode | None:
        """The code if it is good for this purpose now."""
        query = select(EmailCode).where(
            EmailCode.code_hash == code_hash,
            EmailCode.purpose == purpose,
            EmailCode.expires_at > func.clock_timestamp(),
        )
        return (await db.execute(query)).scalar_one_or_none()

    async def take(self, db: Executor, code_hash: bytes, purpose: CodePurpose) -> EmailCode | None:
        """As `find`, and nobody gets it again."""
        query = (
            delete(EmailCode)
            .where(
                EmailCode.code_hash == code_hash,
                EmailCode.purpose == purpose,
                EmailCode.expires_at > func.clock_timestamp(),
            )
            .returning(EmailCode)
        )
        return (await db.execute(query)).scalar_one_or_none()

    async def find_registration(self, db: Executor, email: str) -> EmailCode | None:
        """The newest registration of this address that waits for its code."""
        query = select(EmailCode).where(
            EmailCode.email == email,
            EmailCode.purpose == CodePurpose.VERIFY_EMAIL,
            EmailCode.expires_at > func.clock_timestamp(),
        )
        return (await db.execute(query.order_by(EmailCode.created_at.desc()).limit(1))).scalar_one_or_none()

    async def delete_registrations(self, db: Executor, email: str) -> None:
        """Remove every registration of this address: it has its user."""
        await db.execute(
            delete(EmailCode).where(EmailCode.email == email, EmailCode.purpose == CodePurpose.VERIFY_EMAIL)
        )

    async def delete_of(self, db: Executor, owner_id: UUID, *purposes: CodePurpose) -> None:
        """Remove the owner's codes for these purposes, or all of them."""
        query = delete(EmailCode).where(EmailCode.owner_id == owner_id)
        await db.execute(query.where(EmailCode.purpose.in_(purposes)) if purposes else query)
