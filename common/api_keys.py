"""The text of API keys: `ltn_<prefix>_<secret><checksum>`. The secret has 190 random bits; only its hash is kept."""

import re
import secrets
import zlib
from dataclasses import dataclass, field
from hashlib import sha256
from string import ascii_letters, digits

_ALPHABET = digits + ascii_letters
_PREFIX_LENGTH, _SECRET_LENGTH, _CHECKSUM_LENGTH = 10, 32, 6
_FORMAT = re.compile(rf"(ltn_([0-9A-Za-z]{{{_PREFIX_LENGTH}}})_([0-9A-Za-z]{{{_SECRET_LENGTH}}}))([0-9A-Za-z]{{6}})")


@dataclass(frozen=True, slots=True)
class ApiKeyText:
    """A key as its owner holds it. Everything but `text` may be stored."""

    prefix: str
    secret_hash: bytes
    text: str = field(repr=False)


def make_api_key() -> ApiKeyText:
    """A new key."""
    prefix, secret = _random(_PREFIX_LENGTH), _random(_SECRET_LENGTH)
    body = f"ltn_{prefix}_{secret}"
    return ApiKeyText(prefix, _hash(secret), body + _checksum(body))


def looks_like_api_key(text: str) -> bool:
    """Whether the text begins as our keys do."""
    return text.startswith("ltn_")


def parse_api_key(text: str) -> ApiKeyText | None:
    """The parts of a key; None for what cannot be one of ours, which spares the database the question."""
    found = _FORMAT.fullmatch(text)
    if found is None or _checksum(found[1]) != found[4]:
        return None
    return ApiKeyText(found[2], _hash(found[3]), text)


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _hash(secret: str) -> bytes:
    # Plain SHA-256 is enough: nobody guesses 190 random bits, and a slow hash would cost each request.
    return sha256(secret.encode()).digest()


def _checksum(body: str) -> str:
    value, text = zlib.crc32(body.encode()), ""
    for _ in range(_CHECKSUM_LENGTH):
        value, digit = divmod(value, len(_ALPHABET))
        text += _ALPHABET[digit]
    return text
