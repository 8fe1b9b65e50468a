"""Locks between processes: `get_redis_lock()` gives the one that this process was configured with."""

from redis.asyncio import Redis

from common.lock.base import DistributedLock
from common.lock.redis_lock import RedisLock
from common.redis import RedisKeys

__all__ = ["DistributedLock", "RedisLock", "configure_redis_lock", "get_redis_lock"]

# The one value of the whole process: `get_redis_lock()` has no argument that could carry it.
_process_lock: RedisLock | None = None


def configure_redis_lock(redis: Redis, prefix: str = "letuin") -> RedisLock:
    """Make the lock that `get_redis_lock` returns from now on; `prefix` starts the names of its keys."""
    global _process_lock
    _process_lock = RedisLock(redis, key=RedisKeys(prefix=prefix).lock)
    return _process_lock


def get_redis_lock() -> RedisLock:
    """The process's lock. Raises `RuntimeError` before `configure_redis_lock`."""
    if _process_lock is None:
        raise RuntimeError("no Redis lock yet: call common.lock.configure_redis_lock(redis) when the process starts")
    return _process_lock
