"""Which worker does what one worker should do. The lock only saves work: the statements keep many leaders correct."""

import asyncio

from loguru import logger
from redis import RedisError

from common.errors import LockLostError
from common.lock import RedisLock

_LOCK = "leader"
_LOCK_SECONDS = 10.0
_RETRY = 3.0


class Leader:
    """Holds one lock for all loops of this worker that a leader runs, or waits for it."""

    def __init__(self, lock: RedisLock) -> None:
        self._lock = lock
        self.is_leading = False

    async def run(self) -> None:
        """Lead whenever the lock is free, until cancelled. With Redis away everybody leads."""
        while True:
            try:
                async with self._lock.lock(_LOCK, ttl=_LOCK_SECONDS, auto_renew=True) as acquired:
                    self.is_leading = acquired
                    if acquired:
                        await asyncio.Event().wait()
            except LockLostError:
                self.is_leading = False
                logger.info("Another worker leads now")
            except (RedisError, OSError, TimeoutError):
                self.is_leading = True
            await asyncio.sleep(_RETRY)
