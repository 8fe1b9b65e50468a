"""Secrets that have to be read again, sealed for the time that they lie in a store."""

from base64 import urlsafe_b64encode
from functools import cached_property
from hashlib import sha256

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from common.config import CommonSettings
from common.errors import TransientError
from common.kept_secret import load_secret

_VERSION = "v1"


class SealError(TransientError):
    """A sealed text that none of the keys opens, or that was sealed for something else; keys can be corrected."""


class Vault:
    """ENCRYPTION_KEY, which seals, and ENCRYPTION_PREVIOUS_KEY, which opens what was sealed before a change.

    A sealed text reads `v1.<name of the key>.<Fernet token>`, so that a query finds what an older key sealed.
    """

    def __init__(self, settings: CommonSettings) -> None:
        self._settings = settings

    @cached_property
    def _keys(self) -> dict[str, Fernet]:
        """By name, the one that seals first. Read at first use: a process that needs none needs no data folder."""
        given, path = self._settings.encryption_key, self._settings.data_dir / "encryption-key"
        secrets = [load_secret(given, path, setting="ENCRYPTION_KEY")]
        if self._settings.encryption_previous_key is not None:
            secrets.append(self._settings.encryption_previous_key.get_secret_value().encode())
        keys = [_derive(secret) for secret in secrets]
        return {_name(key): Fernet(key) for key in keys}

    @property
    def mark(self) -> str:
        """How every text begins that today's key sealed."""
        return f"{_VERSION}.{next(iter(self._keys))}."

    def seal(self, text: str, purpose: str) -> str:
        """`text`, readable only with the key and for the same `purpose` (what it is kept for, and for whom).

        Raises `InvalidError` when there is no key and DATA_DIR cannot hold one.
        """
        current = next(iter(self._keys.values()))
        return self.mark + current.encrypt(f"{purpose}\n{text}".encode()).decode()

    def open(self, sealed: str, purpose: str) -> str:
        """What was sealed. Raises `SealError`."""
        version, _, rest = sealed.partition(".")
        name, _, token = rest.partition(".")
        key = self._keys.get(name)
        if version != _VERSION or key is None:
            raise SealError("ENCRYPTION_KEY of this process is not the one that sealed this")
        try:
            kept_for, _, text = key.decrypt(token).decode().partition("\n")
        except InvalidToken as error:
            raise SealError("what was sealed has been changed") from error
        if kept_for != purpose:
            raise SealError("this was sealed for something else")
        return text


def _derive(secret: bytes) -> bytes:
    return urlsafe_b64encode(HKDF(SHA256(), 32, salt=None, info=b"letuin vault").derive(secret))


def _name(key: bytes) -> str:
    return sha256(b"name of " + key).hexdigest()[:8]
