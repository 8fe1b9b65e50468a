"""What travels between the routes, services and queries about users."""

from dataclasses import dataclass
from uuid import UUID

from common.database.model import Role


@dataclass(frozen=True, slots=True)
class NewMember:
    """A person, or with `is_service` a program, that an admin adds to a tenant. Neither has a password yet."""

    id: UUID
    tenant_id: UUID
    role: Role
    email: str | None = None
    name: str | None = None
    is_service: bool = False


@dataclass(frozen=True, slots=True)
class UserChanges:
    """What to change about a user; None leaves it as it is."""

    name: str | None = None
    role: Role | None = None
    is_active: bool | None = None

    @property
    def concerns_access(self) -> bool:
        """Whether tokens of before must not count any more."""
        return self.role is not None or self.is_active is not None


@dataclass(frozen=True, slots=True)
class UserFilter:
    """Which users of a tenant to list; what is None does not matter. Newest first, `before_id` excluded."""

    role: Role | None = None
    is_active: bool | None = None
    is_service: bool | None = None
    before_id: UUID | None = None
    limit: int = 50
