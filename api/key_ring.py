"""The keys that sign tokens: the one of today, and for a while the one before."""

import os
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hmac import digest
from pathlib import Path

from api.config import ApiSettings
from common.errors import InvalidError


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A secret and what tokens call it. After `valid_until` it proves nothing any more."""

    secret: bytes = field(repr=False)
    valid_until: datetime | None = None

    @property
    def kid(self) -> str:
        """The name of this key in token headers; it tells nothing about the secret."""
        return digest(self.secret, b"key-id", "sha256").hex()[:16]

    @property
    def is_valid(self) -> bool:
        """Whether the key may still prove anything."""
        return self.valid_until is None or datetime.now(UTC) < self.valid_until


class KeyRing:
    """JWT_SECRET, which signs, and JWT_PREVIOUS_SECRET, which is accepted until JWT_PREVIOUS_UNTIL."""

    def __init__(self, settings: ApiSettings, secret: bytes) -> None:
        self.current = SigningKey(secret)
        self._keys = [self.current]
        if settings.jwt_previous_secret is not None:
            previous = settings.jwt_previous_secret.get_secret_value().encode()
            self._keys.append(SigningKey(previous, settings.jwt_previous_until))

    def find(self, kid: object) -> SigningKey | None:
        """The valid key of this name; whatever else stands in a token's header is looked up nowhere."""
        return next((key for key in self.valid() if key.kid == kid), None)

    def valid(self) -> list[SigningKey]:
        """The keys that count now, the current one first."""
        return [key for key in self._keys if key.is_valid]


def load_secret(settings: ApiSettings) -> bytes:
    """JWT_SECRET, or outside production one kept in the data folder, so that tokens outlive a restart.

    Raises `InvalidError` when the data folder cannot hold it.
    """
    if settings.jwt_secret is not None:
        return settings.jwt_secret.get_secret_value().encode()
    path = settings.data_dir / "jwt-secret"
    try:
        return _read_or_make(path)
    except OSError as error:
        raise InvalidError(
            f"DATA_DIR: {path} cannot be used ({error.strerror}); make the folder writable or set JWT_SECRET"
        ) from error


def _read_or_make(path: Path) -> bytes:
    """Several processes may start at once: the first whole file wins, the others read it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(48))
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    secret = path.read_bytes().strip()
    if len(secret) < 32:
        raise InvalidError(f"{path} holds no usable secret; delete it and start again")
    return secret
