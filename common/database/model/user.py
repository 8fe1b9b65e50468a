"""Tenants and users: who owns jobs."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from common.database.model.base import Base


class Role(StrEnum):
    """What a user may do beyond their own objects."""

    USER = "user"
    OPERATOR = "operator"
    ADMIN = "admin"


class Tenant(Base):
    """An organisation; every object belongs to one."""

    __tablename__ = "tenants"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class User(Base):
    """A person who signs in, or a service that has keys only. `email` is kept in lower case."""

    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint("role IN ('user', 'operator', 'admin')", name="role"),
        CheckConstraint("email = lower(email)", name="email_lower"),
        Index("uq_users_email", "email", unique=True),
        Index("ix_users_tenant_id", "tenant_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id", ondelete="CASCADE"))
    email: Mapped[str]
    name: Mapped[str | None]
    is_service: Mapped[bool] = mapped_column(server_default=text("false"))
    password_hash: Mapped[str | None]
    email_verified_at: Mapped[datetime | None]
    password_changed_at: Mapped[datetime | None]
    locale: Mapped[str | None]
    role: Mapped[str] = mapped_column(server_default=text("'user'"))
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    token_version: Mapped[int] = mapped_column(server_default=text("0"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
