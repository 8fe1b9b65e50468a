"""Signing by Standard Webhooks 1.0.0: HMAC-SHA256 over id, time and body, one signature for each valid secret."""

import secrets
from base64 import b64decode, b64encode
from collections.abc import Iterable
from hmac import digest
from uuid import UUID

PREFIX = "whsec_"
"""How a secret begins that is not sealed."""

_SECRET_BYTES = 32


def new_secret() -> str:
    """A secret as receivers keep it."""
    return PREFIX + b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def purpose_of(endpoint_id: UUID) -> str:
    """What an endpoint's secrets are sealed for in the vault."""
    return f"webhook:{endpoint_id}"


def sign(keys: Iterable[str], message_id: str, timestamp: int, body: bytes) -> str:
    """The `webhook-signature` header: a signature by each of `keys`, so that a rotation breaks nobody."""
    content = f"{message_id}.{timestamp}.".encode() + body
    return " ".join(f"v1,{b64encode(digest(_key(key), content, 'sha256')).decode()}" for key in keys)


def _key(secret: str) -> bytes:
    return b64decode(secret.removeprefix(PREFIX))
