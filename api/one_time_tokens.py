"""Texts that work once: how codes for mails are made, and what is kept of them and of refresh tokens."""

import secrets
from hashlib import sha256

_CODE_BYTES = 20


def make_code() -> str:
    """A code to send by mail: 160 random bits in hexadecimal, which no command line takes for an option."""
    return secrets.token_hex(_CODE_BYTES)


def hash_token(token: str) -> bytes:
    """What is kept of a text that is random itself: no salt and no slow hash needed."""
    return sha256(token.encode()).digest()
