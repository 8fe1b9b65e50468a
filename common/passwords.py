"""Password hashes: argon2id by passlib's API, with OWASP's minimum (19 MiB, two passes, one lane; about 30 ms).

All functions but `normalize_password` block: call them off the event loop.
"""

import unicodedata
from functools import cache

from passlib.context import CryptContext  # type: ignore[import-untyped]
from passlib.exc import PasswordValueError, UnknownHashError  # type: ignore[import-untyped]

LONGEST_PASSWORD = 1024
"""Characters; nothing longer is looked at, whatever the settings allow for new passwords."""


@cache
def _context() -> CryptContext:
    return CryptContext(
        schemes=["argon2"],
        argon2__type="ID",
        argon2__memory_cost=19_456,
        argon2__time_cost=2,
        argon2__parallelism=1,
    )


def normalize_password(password: str) -> str:
    """The same text whichever way a keyboard composed its characters (NFKC, as NIST SP 800-63B asks)."""
    return unicodedata.normalize("NFKC", password)


def hash_password(password: str) -> str:
    """The hash to store, salt and cost included."""
    return str(_context().hash(normalize_password(password)))


def verify_password(password: str, password_hash: str) -> bool:
    """Whether the password belongs to the hash; False also for a text that is no hash."""
    try:
        return bool(_context().verify(normalize_password(password), password_hash))
    except (UnknownHashError, PasswordValueError):
        return False


def needs_rehash(password_hash: str) -> bool:
    """Whether the hash was made with weaker costs than today's; hash the password again at the next login."""
    return bool(_context().needs_update(password_hash))
