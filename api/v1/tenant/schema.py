"""Tenants, which are organisations, and their members."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api.v1.user.schema import Name
from common.database.model import Role


class TenantRead(BaseModel):
    """An organisation; it owns the jobs of its members."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str
    created_at: datetime


class TenantWrite(BaseModel):
    """What an organisation is called."""

    model_config = ConfigDict(extra="forbid")

    name: Name = Field(examples=["Analytical Engines"])


class TenantPage(BaseModel):
    """Organisations, newest first."""

    items: list[TenantRead]
    next_cursor: str | None = Field(description="Give it back as `cursor` to get the next page.")


class MemberAdd(BaseModel):
    """A user who moves into the organisation, out of the one before: a user belongs to one."""

    model_config = ConfigDict(extra="forbid")

    user_id: UUID
    role: Role = Role.USER
