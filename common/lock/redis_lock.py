"""The distributed lock on Redis: one value with an owner's token, changed only by Lua that checks the owner."""

import asyncio
import contextlib
import math
import random
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from common.errors import InvalidError, LockLostError
from common.lock.base import DistributedLock
from common.logger import logger

# Asking again with the same token succeeds: the client repeats a command whose answer was lost.
# The fence never falls behind the clock, so it also rises after Redis was emptied.
_ACQUIRE = """
local taken = redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2])
if not taken then
  if redis.call('GET', KEYS[1]) == ARGV[1] then return tonumber(redis.call('GET', KEYS[2])) end
  return 0
end
local now = redis.call('TIME')
local fence = math.max(now[1] * 1000000 + now[2], tonumber(redis.call('GET', KEYS[2]) or 0) + 1)
redis.call('SET', KEYS[2], string.format('%.0f', fence), 'PX', math.max(ARGV[2] * 2, 604800000))
return fence
"""
_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"
_EXTEND = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], redis.call('PTTL', KEYS[1]) + ARGV[2])
"""
_RENEW = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""
_RENEWALS_PER_TTL = 3


@dataclass(frozen=True, slots=True)
class _Hold:
    """A lock that `task` owns. A child task inherits the context, and with it this value, but not the lock."""

    fence: int
    token: str
    task: asyncio.Task[Any] | None = field(default_factory=asyncio.current_task)


class RedisLock(DistributedLock):
    """`key` turns a lock's name into its key; the fence is kept beside it."""

    def __init__(self, redis: Redis, *, key: Callable[[str], str]) -> None:
        self._key = key
        self._holds: ContextVar[Mapping[str, _Hold]] = ContextVar("holds", default={})  # noqa: B039  never changed
        self._acquire = redis.register_script(_ACQUIRE)
        self._release = redis.register_script(_RELEASE)
        self._extend = redis.register_script(_EXTEND)
        self._renew = redis.register_script(_RENEW)

    async def acquire(self, name: str, ttl: float, timeout: float | None = None) -> bool:  # noqa: ASYNC109
        milliseconds = _milliseconds("ttl", ttl)
        token = secrets.token_hex(16)
        deadline = asyncio.get_running_loop().time() + (timeout or 0)
        while True:
            fence = await self._try(name, token, milliseconds)
            if fence:
                self._holds.set({**self._holds.get(), name: _Hold(fence, token)})
                return True
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0:
                return False
            await asyncio.sleep(min(left, random.uniform(0.02, 0.1)))

    async def release(self, name: str) -> bool:
        hold = self._find(name)
        if not hold:
            return False
        self._holds.set({key: value for key, value in self._holds.get().items() if key != name})
        return bool(await self._release(keys=[self._key(name)], args=[hold.token]))

    async def extend(self, name: str, seconds: float) -> bool:
        milliseconds = _milliseconds("seconds", seconds)
        hold = self._find(name)
        return bool(hold and await self._extend(keys=[self._key(name)], args=[hold.token, milliseconds]))

    def fence(self, name: str) -> int:
        hold = self._find(name)
        if not hold:
            raise LockLostError(f"lock {name!r} is not held by this task")
        return hold.fence

    @contextlib.asynccontextmanager
    async def lock(
        self,
        name: str,
        ttl: float,
        timeout: float | None = None,  # noqa: ASYNC109  the name is part of the interface
        *,
        auto_renew: bool = False,
    ) -> AsyncIterator[bool]:
        if not await self.acquire(name, ttl, timeout):
            yield False
            return
        try:
            if auto_renew:
                async with self._renewed(name, ttl):
                    yield True
            else:
                yield True
        finally:
            try:
                await self.release(name)
            except RedisError as error:
                logger.warning("A lock could not be released and will run out", lock=name, error=error)

    @contextlib.asynccontextmanager
    async def _renewed(self, name: str, ttl: float) -> AsyncIterator[None]:
        """Renews in the background. The block ends, at the latest, when the last sure renewal runs out."""
        started = asyncio.get_running_loop().time()
        hold = self._holds.get()[name]
        try:
            # The first renewal comes at once: waiting for the acquisition took an unknown part of the ttl.
            async with asyncio.timeout_at(started + ttl) as life:
                renewal = asyncio.create_task(self._keep(name, hold.token, ttl, life))
                try:
                    yield
                finally:
                    renewal.cancel()
                    await asyncio.gather(renewal, return_exceptions=True)
        except TimeoutError as error:
            if life.expired():
                raise LockLostError(f"lock {name!r} ran out or was taken over") from error
            raise

    async def _keep(self, name: str, token: str, ttl: float, life: asyncio.Timeout) -> None:
        loop = asyncio.get_running_loop()
        while not life.expired():
            started = loop.time()
            try:
                is_ours = await self._renew(keys=[self._key(name)], args=[token, _milliseconds("ttl", ttl)])
            except RedisError as error:
                logger.warning("A lock could not be renewed", lock=name, error=error)
            else:
                if life.expired():
                    return
                life.reschedule(started + ttl if is_ours else started)
            await asyncio.sleep(ttl / _RENEWALS_PER_TTL)

    async def _try(self, name: str, token: str, milliseconds: int) -> int:
        key = self._key(name)
        try:
            return int(await self._acquire(keys=[key, f"{key}:fence"], args=[token, milliseconds]))
        except BaseException:
            # Cancelled or cut off: it may have been granted, and nobody would give it back.
            with contextlib.suppress(RedisError):
                await self._release(keys=[key], args=[token])
            raise

    def _find(self, name: str) -> _Hold | None:
        hold = self._holds.get().get(name)
        return hold if hold and hold.task is asyncio.current_task() else None


def _milliseconds(name: str, seconds: float) -> int:
    if not (math.isfinite(seconds) and seconds >= 0.001):
        raise InvalidError(f"{name} must be a positive number of seconds, not {seconds}")
    return int(seconds * 1000)
