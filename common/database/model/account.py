"""What accounts need besides the user: sessions, their refresh tokens, codes sent by mail, and counts of attempts."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, func, text
from sqlalchemy.orm import Mapped, mapped_column

from common.database.model.base import Base


class CodePurpose(StrEnum):
    """What a code that was sent by mail is good for."""

    VERIFY_EMAIL = "verify_email"
    RESET_PASSWORD = "reset_password"
    CHANGE_EMAIL = "change_email"


class LoginSession(Base):
    """One login, until its logout or end: the family of its refresh tokens, and what its access tokens name.

    It lasts while the user keeps the `token_version` and the tenant of the login.
    """

    __tablename__ = "login_sessions"
    __table_args__ = (
        Index("ix_login_sessions_owner", "owner_id", "id"),
        Index("ix_login_sessions_expires_at", "expires_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    token_version: Mapped[int] = mapped_column(server_default=text("0"))
    address: Mapped[str | None]
    user_agent: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    used_at: Mapped[datetime] = mapped_column(server_default=func.now())
    idle_until: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    end_reason: Mapped[str | None]


class RefreshToken(Base):
    """One refresh token: its SHA-256, and the salt that derived it from the one before. `used_at` ends it."""

    __tablename__ = "refresh_tokens"
    __table_args__ = (Index("uq_refresh_tokens_session", "session_id", "generation", unique=True),)

    token_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    session_id: Mapped[UUID] = mapped_column(ForeignKey("login_sessions.id", ondelete="CASCADE"))
    generation: Mapped[int]
    salt: Mapped[bytes] = mapped_column(LargeBinary)
    used_at: Mapped[datetime | None]


class EmailCode(Base):
    """A code sent to `email`, as SHA-256. Without `owner_id` it is a registration, which carries what the user will be.

    `session_id` is the session that asked for it.
    """

    __tablename__ = "email_codes"
    __table_args__ = (
        CheckConstraint("purpose IN ('verify_email', 'reset_password', 'change_email')", name="purpose"),
        CheckConstraint("(owner_id IS NULL) = (purpose = 'verify_email')", name="owner"),
        Index("ix_email_codes_owner_id", "owner_id"),
        Index("ix_email_codes_email", "email", "created_at"),
        Index("ix_email_codes_expires_at", "expires_at"),
    )

    code_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    purpose: Mapped[str]
    email: Mapped[str]
    owner_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    session_id: Mapped[UUID | None]
    password_hash: Mapped[str | None]
    name: Mapped[str | None]
    locale: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]


class AttemptCount(Base):
    """How often something was tried lately, by a digest of what it is counted for."""

    __tablename__ = "attempt_counts"
    __table_args__ = (Index("ix_attempt_counts_expires_at", "expires_at"),)

    key: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    count: Mapped[int]
    blocked_until: Mapped[datetime | None]
    expires_at: Mapped[datetime]
