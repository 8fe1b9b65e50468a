"""Password hashes: argon2id by passlib's API, with OWASP's minimum (19 MiB, two passes, one lane; about 30 ms).

Both functions block: call them off the event loop.
"""

from functools import cache

from passlib.context import CryptContext  # type: ignore[import-untyped]
from passlib.exc import UnknownHashError  # type: ignore[import-untyped]

MIN_PASSWORD_LENGTH, MAX_PASSWORD_LENGTH = 8, 1024


@cache
def _context() -> CryptContext:
    return CryptContext(
        schemes=["argon2"],
        argon2__type="ID",
        argon2__memory_cost=19_456,
        argon2__time_cost=2,
        argon2__parallelism=1,
    )


def hash_password(password: str) -> str:
    """The hash to store, salt and cost included."""
    return str(_context().hash(password))


def verify_password(password: str, password_hash: str) -> bool:
    """Whether the password belongs to the hash; False also for a text that is no hash."""
    try:
        return bool(_context().verify(password, password_hash))
    except UnknownHashError:
        return False


def needs_rehash(password_hash: str) -> bool:
    """Whether the hash was made with weaker costs than today's; hash the password again at the next login."""
    return bool(_context().needs_update(password_hash))
