"""Which errors a call to PostgreSQL can raise, and what they say about it."""

from collections.abc import Iterator

import asyncpg
from sqlalchemy.exc import SQLAlchemyError

# Connecting raises asyncpg's and the system's own errors, everything after it SQLAlchemy's.
DATABASE_ERRORS: tuple[type[Exception], ...] = (
    SQLAlchemyError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)
_REFUSED_VALUE = (asyncpg.DataError, asyncpg.ProgramLimitExceededError, UnicodeError)


def is_refused_value(error: BaseException) -> bool:
    """Whether PostgreSQL works and refuses what it was given; only then does asking again not help."""
    return any(isinstance(cause, _REFUSED_VALUE) for cause in _causes(error))


def _causes(error: BaseException) -> Iterator[BaseException]:
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__
