"""Users as clients send and see them."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from common.database.model import Role, User


def is_printable(text: str) -> str:
    """The text, when it is one that people can read. Raises `ValueError`."""
    if not text.isprintable() or text != text.strip():
        raise ValueError("must be printable text without spaces around it")
    return text


Name = Annotated[str, Field(min_length=1, max_length=100, examples=["Ada"]), AfterValidator(is_printable)]
Email = Annotated[
    str,
    Field(min_length=3, max_length=254, pattern=r"^[^\s@\x00-\x20\x7f]{1,64}@[^\s@\x00-\x20\x7f]{1,189}$"),
    AfterValidator(is_printable),
]


class UserRead(BaseModel):
    """A user, without anything secret."""

    id: UUID
    tenant_id: UUID
    email: str | None = Field(description="None for service accounts.")
    name: str | None
    role: Role
    is_active: bool
    is_service: bool
    created_at: datetime

    @classmethod
    def of(cls, user: User) -> Self:
        """The user as those may see it who may see it at all."""
        return cls(
            id=user.id,
            tenant_id=user.tenant_id,
            email=None if user.is_service else user.email,
            name=user.name,
            role=Role(user.role),
            is_active=user.is_active,
            is_service=user.is_service,
            created_at=user.created_at,
        )


class UserCreate(BaseModel):
    """Somebody new: a person with an address, who chooses a password by mail, or a service that gets keys only."""

    model_config = ConfigDict(extra="forbid")

    email: Email | None = Field(None, examples=["ada@example.com"])
    name: Name | None = None
    role: Role = Role.USER
    is_service: bool = Field(False, description="A program: it has a name, no address, and never a password.")

    @model_validator(mode="after")
    def _is_person_or_service(self) -> Self:
        if self.is_service and (self.email or not self.name):
            raise ValueError("a service account has a name and no email")
        if not self.is_service and not self.email:
            raise ValueError("a person needs an email; set is_service for a program")
        return self


class UserUpdate(BaseModel):
    """What to change. Only admins change role and activity."""

    model_config = ConfigDict(extra="forbid")

    name: Name | None = None
    role: Role | None = None
    is_active: bool | None = None


class UserPage(BaseModel):
    """Users, newest first."""

    items: list[UserRead]
    next_cursor: str | None = Field(description="Give it back as `cursor` to get the next page.")
