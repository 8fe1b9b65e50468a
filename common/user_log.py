"""The lifecycles of all jobs of one user, in the order in which they happened, for as long as somebody listens.

A Redis Stream that `EventLog` fills while it is there: a listener makes it, and it stays for EVENT_LOG_RETENTION after
the last one left. A place is an entry that was seen; as long as that is there, nothing behind it is missing.
"""

import re
from dataclasses import dataclass
from uuid import UUID

from arq.connections import ArqRedis

from common.config import CommonSettings
from common.events import Event, parse_event
from common.redis import RedisKeys

_PLACE = re.compile(r"\d{1,19}-\d{1,19}")
_PAGE = 200


@dataclass(frozen=True, slots=True)
class UserPage:
    """Events behind a place, each with its own. Without `is_whole` the place is gone, and with it what followed."""

    events: tuple[tuple[str, Event], ...]
    is_whole: bool
    has_more: bool = False


class UserLog:
    """Raises `redis.RedisError` and `OSError` while Redis is away."""

    def __init__(self, redis: ArqRedis, keys: RedisKeys, settings: CommonSettings) -> None:
        self._redis = redis
        self._keys = keys
        self.retention = settings.event_log_retention

    async def open(self, user_id: UUID) -> str:
        """The newest place; from now on everything is kept behind it."""
        key = self._keys.user_events(user_id)
        newest = await self._redis.xrevrange(key, count=1)
        # An entry that is no event: a place for who has seen nothing yet.
        place = newest[0][0] if newest else await self._redis.xadd(key, {"opened": "1"})
        await self._redis.expire(key, self.retention)
        return str(place.decode())

    async def read(self, user_id: UUID, after: str) -> UserPage:
        """What happened behind a place, at most 200 events; keeps the log for a while longer."""
        if not _PLACE.fullmatch(after):
            return UserPage((), is_whole=False)
        key = self._keys.user_events(user_id)
        pipe = self._redis.pipeline(transaction=False)
        pipe.xrange(key, min=after, count=_PAGE + 1)
        pipe.expire(key, self.retention)
        rows, _ = await pipe.execute()
        if not rows or rows[0][0].decode() != after:
            return UserPage((), is_whole=False)
        events = [(place.decode(), parse_event(fields[b"j"])) for place, fields in rows[1:] if b"j" in fields]
        return UserPage(tuple(events), is_whole=True, has_more=len(rows) > _PAGE)
