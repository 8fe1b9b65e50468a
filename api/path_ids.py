"""Ids in paths: a text that cannot be an id belongs to no object, so it is as unknown as any other."""

from typing import Annotated
from uuid import UUID

from fastapi import Path

from common.errors import NotFoundError


def parse_id(text: str, noun: str) -> UUID:
    """The id in its one usual form. Raises `NotFoundError`."""
    try:
        parsed = UUID(text)
    except ValueError:
        parsed = None
    if parsed is None or str(parsed) != text.lower():
        raise NotFoundError(f"{noun} {text[:64]} does not exist")
    return parsed


async def get_user_id(user_id: Annotated[str, Path(description="The user's id.")]) -> UUID:
    """The user's id from the path."""
    return parse_id(user_id, "user")


async def get_tenant_id(tenant_id: Annotated[str, Path(description="The tenant's id.")]) -> UUID:
    """The tenant's id from the path."""
    return parse_id(tenant_id, "tenant")


async def get_key_id(key_id: Annotated[str, Path(description="The key's id.")]) -> UUID:
    """The key's id from the path."""
    return parse_id(key_id, "API key")
