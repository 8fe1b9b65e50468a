"""A message to oneself through Redis, each second: whoever does not hear it is deaf, whatever the connection says."""

import asyncio
from time import monotonic

from redis import RedisError
from redis.asyncio import Redis

_INTERVAL = 1.0
_LIMIT = 3.0


class Canary:
    """Tells a listener that it hears nothing.

    The listener subscribes to `channel`, calls `listening` once it has, `heard` for each message there, and asks
    `is_silent` when nothing came. `redis` must be another client than the listener's. `silences` counts.
    """

    def __init__(self, redis: Redis, channel: str) -> None:
        self._redis = redis
        self._name = channel
        self._last_sign = monotonic()
        self._unheard_since: float | None = None
        self.channel = channel.encode()
        self.silences = 0

    @property
    def is_deaf(self) -> bool:
        """Whether Redis takes messages that do not come back here. False while Redis is away: nobody can tell then."""
        return self._unheard_since is not None and monotonic() - self._unheard_since > _LIMIT

    @property
    def age(self) -> float:
        """Seconds since anything was heard."""
        return monotonic() - self._last_sign

    @property
    def is_silent(self) -> bool:
        """Whether nothing was heard for over 3 s; true once, then the listener has to begin anew."""
        if monotonic() - self._last_sign <= _LIMIT:
            return False
        self.silences += 1
        self._last_sign = monotonic()
        return True

    def listening(self) -> None:
        """A listener begins: it has 3 s from now on."""
        self._last_sign = monotonic()

    def heard(self) -> None:
        """The message has arrived."""
        self._last_sign = monotonic()
        self._unheard_since = None

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            sent_at = monotonic()
            try:
                async with asyncio.timeout(_INTERVAL):
                    await self._redis.publish(self._name, b"1")
            except (RedisError, OSError):
                self._unheard_since = None
            else:
                if self._last_sign < sent_at and self._unheard_since is None:
                    self._unheard_since = sent_at
            await asyncio.sleep(_INTERVAL)
