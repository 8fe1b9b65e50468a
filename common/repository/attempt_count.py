"""Queries that count attempts, for all api processes alike, and make whoever failed too often wait."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Integer, LargeBinary
from sqlalchemy.dialects.postgresql import INTERVAL

from common.repository.sql import Executor, execute, statement


@dataclass(frozen=True, slots=True)
class AttemptLimit:
    """`most` attempts within `window`; then a wait of `first`, doubled by each further attempt up to `last`."""

    most: int
    window: timedelta
    first: timedelta
    last: timedelta


# Counted before it is known how the attempt ends, so that many at once do not slip through together.
_TAKE = statement(
    """
    INSERT INTO attempt_counts AS held (key, count, expires_at) VALUES (:key, 1, clock_timestamp() + :window)
    ON CONFLICT (key) DO UPDATE SET
        count = CASE WHEN held.expires_at <= clock_timestamp() THEN 1 ELSE held.count + 1 END,
        expires_at = clock_timestamp() + :window,
        blocked_until = CASE WHEN held.expires_at > clock_timestamp() AND held.count + 1 >= :most
            THEN clock_timestamp() + least(:last, :first * power(2, least(held.count + 1 - :most, 20))) END
    WHERE held.blocked_until IS NULL OR held.blocked_until <= clock_timestamp()
    RETURNING count
    """,
    key=LargeBinary(),
    window=INTERVAL(),
    most=Integer(),
    first=INTERVAL(),
    last=INTERVAL(),
)
_WAIT = statement("SELECT blocked_until - clock_timestamp() FROM attempt_counts WHERE key = :key", key=LargeBinary())
_GIVE_BACK = statement(
    """
    UPDATE attempt_counts SET count = greatest(count - 1, 0),
           blocked_until = CASE WHEN count - 1 >= :most THEN blocked_until END
    WHERE key = :key
    """,
    key=LargeBinary(),
    most=Integer(),
)
_FORGET = statement("DELETE FROM attempt_counts WHERE key = :key", key=LargeBinary())


class AttemptCountRepository:
    """Counts by key; keys are digests, which tell nobody's address."""

    async def take(self, db: Executor, key: bytes, limit: AttemptLimit) -> timedelta | None:
        """Count an attempt. None when it may be made, else how long to wait; a refused attempt does not count."""
        values = {"key": key, "window": limit.window, "most": limit.most, "first": limit.first, "last": limit.last}
        if (await execute(db, _TAKE, values)).first() is not None:
            return None
        wait: timedelta | None = (await execute(db, _WAIT, {"key": key})).scalar_one_or_none()
        return max(wait or timedelta(0), timedelta(seconds=1))

    async def give_back(self, db: Executor, key: bytes, limit: AttemptLimit) -> None:
        """Uncount an attempt that went well."""
        await execute(db, _GIVE_BACK, {"key": key, "most": limit.most})

    async def forget(self, db: Executor, key: bytes) -> None:
        """Count from the beginning again."""
        await execute(db, _FORGET, {"key": key})
