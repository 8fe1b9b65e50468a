"""API keys as their owners send and see them."""

from datetime import datetime, timedelta
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api.v1.user.schema import Name
from common.database.model import ApiKey
from common.scopes import Scope

_LONGEST = timedelta(days=3650)


class ApiKeyCreate(BaseModel):
    """What a new key may do, and for how long."""

    model_config = ConfigDict(extra="forbid")

    name: Name = Field(examples=["nightly import"])
    scopes: Annotated[set[Scope], Field(min_length=1)] = Field(examples=[["jobs:read", "jobs:write"]])
    expires_in: float | None = Field(None, ge=60, le=_LONGEST.total_seconds(), description="Seconds; None: for ever.")
    user_id: UUID | None = Field(None, description="A service account of your tenant that gets the key; for admins.")


class ApiKeyRead(BaseModel):
    """A key, without its secret."""

    id: UUID
    user_id: UUID = Field(description="Who the key acts as.")
    name: str
    prefix: str = Field(description="How the key begins, so that you know it again.", examples=["ltn_8fJ2kQw0Zt"])
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None = Field(description="To the minute.")
    revoked_at: datetime | None

    @classmethod
    def of(cls, key: ApiKey) -> Self:
        """The key as lists show it."""
        return cls.model_validate(_public(key))


class ApiKeyCreated(ApiKeyRead):
    """A new key. `key` is shown this once and kept nowhere."""

    key: str

    @classmethod
    def with_text(cls, key: ApiKey, text: str) -> Self:
        """The key, and what its owner sends as the bearer token."""
        return cls.model_validate({**_public(key), "key": text})


class ApiKeyPage(BaseModel):
    """Keys, newest first; revoked and expired ones too."""

    items: list[ApiKeyRead]
    next_cursor: str | None = Field(description="Give it back as `cursor` to get the next page.")


def _public(key: ApiKey) -> dict[str, object]:
    return {
        "id": key.id,
        "user_id": key.owner_id,
        "name": key.name,
        "prefix": f"ltn_{key.prefix}",
        "scopes": sorted(key.scopes),
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "last_used_at": key.last_used_at,
        "revoked_at": key.revoked_at,
    }
