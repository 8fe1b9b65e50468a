"""Refresh tokens: random texts of which only the SHA-256 is kept, each of which leads to the next."""

import secrets
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from hmac import digest

from api.key_ring import KeyRing
from api.one_time_tokens import hash_token

_PREFIX = "ltr_"
_RANDOM_BYTES = 32


class RefreshTokens:
    """Makes tokens and finds their successors.

    A successor is computed from its predecessor, a stored salt and our secret, so that a client that lost the answer
    gets the same one again although we keep none; the database alone leads nowhere.
    """

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys

    def make(self) -> str:
        """The first token of a session: 256 random bits."""
        return f"{_PREFIX}{secrets.token_urlsafe(_RANDOM_BYTES)}"

    def follow(self, token: str) -> tuple[str, bytes]:
        """A successor of the token, and the salt to keep with it."""
        salt = secrets.token_bytes(_RANDOM_BYTES)
        return _derive(self._keys.current.secret, token, salt), salt

    def newest(self, token: str, successors: Iterable[tuple[bytes, bytes]]) -> str | None:
        """The last of the successors, given salt and hash of each; None when their key has gone."""
        for salt, token_hash in successors:
            candidates = [_derive(key.secret, token, salt) for key in self._keys.valid()]
            found = next((each for each in candidates if hash_token(each) == token_hash), None)
            if found is None:
                return None
            token = found
        return token


def _derive(secret: bytes, token: str, salt: bytes) -> str:
    key = digest(secret, b"refresh-token", "sha256")
    return f"{_PREFIX}{urlsafe_b64encode(digest(key, salt + token.encode(), 'sha256')).decode().rstrip('=')}"
