"""How many requests a caller may make: one count in Redis for all api processes, bought from in small lots."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import timedelta
from math import ceil
from time import monotonic
from typing import TYPE_CHECKING, Literal, cast

from loguru import logger
from redis.asyncio import Redis
from throttled.asyncio import MemoryStore, RedisStore, Throttled, rate_limiter
from throttled.asyncio.rate_limiter import RateLimitResult
from throttled.exceptions import BaseThrottledError

from api.config import ApiSettings
from common.redis import RedisKeys

if TYPE_CHECKING:
    from throttled.types import AsyncRedisClientP

_MAX_LOT = 200
_LOTS = 100  # a caller's requests within one window make about so many calls of Redis
_MAX_KEYS = 20_000
_AWAY_SECONDS = 1.0  # how long Redis is left alone after it failed
_REPEATED_SECONDS = 1.0  # how long a refusal is repeated without asking again

type WithoutRedis = Literal["open", "closed"]


@dataclass(frozen=True, slots=True)
class Policy:
    """`quota` requests at once, and as many again evenly over each `window`; 0 means no limit."""

    name: str
    quota: int
    window: timedelta

    @property
    def header(self) -> bytes:
        """What RateLimit-Policy says of it."""
        return f'"{self.name}";q={self.quota};w={int(self.window.total_seconds())}'.encode()


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a request may pass, what is left, and in how many seconds the quota is whole or a request passes.

    `is_counted` is false when the request was refused because nobody could count it.
    """

    is_allowed: bool
    remaining: int
    reset: int
    retry_after: int = 0
    is_counted: bool = True


@dataclass(slots=True)
class _Account:
    """What one key has bought and not used."""

    tokens: int = 0
    lapses: float = 0.0
    left: int | None = None  # in Redis, when we last bought
    reset_at: float = 0.0
    refused_until: float = 0.0
    retry_at: float = 0.0
    is_counted: bool = True
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class RateLimiter:
    """Counts by GCRA. Never lets more pass than the policy says, over all processes together.

    Lots that other processes hold count as used, so a caller may be refused up to a hundredth of the quota per
    process early. Without Redis, or when it takes longer than `patience`, `open` counts in this process alone and
    `closed` refuses.
    """

    def __init__(
        self,
        policy: Policy,
        redis: Redis,
        *,
        prefix: str,
        without_redis: WithoutRedis,
        patience: timedelta = timedelta(milliseconds=250),
    ) -> None:
        quota = rate_limiter.per_duration(policy.window, max(policy.quota, 1))
        store = RedisStore()
        # The library has no way to be given a client; ours has its pool, its time limits and its end.
        store._backend._client = cast("AsyncRedisClientP", redis)
        name = f"{prefix}:rate:{policy.name}"
        memory = MemoryStore(options={"MAX_SIZE": _MAX_KEYS})
        self.policy = policy
        self._shared = Throttled(using="gcra", quota=quota, store=store, key_prefix=name)
        self._own = Throttled(using="gcra", quota=quota, store=memory, key_prefix=name)
        self._patience = patience.total_seconds()
        self._is_open = without_redis == "open"
        self._lot = max(1, min(policy.quota // _LOTS, _MAX_LOT))
        self._accounts: OrderedDict[str, _Account] = OrderedDict()
        self._away_until = 0.0

    async def take(self, key: str) -> Verdict:
        """Use one request of `key`'s quota."""
        account = self._accounts.get(key)
        if account is None:
            account = self._accounts[key] = _Account()
            if len(self._accounts) > _MAX_KEYS:
                self._accounts.popitem(last=False)
        now = monotonic()
        if account.tokens <= 0 or now >= account.lapses:
            async with account.lock:
                now = monotonic()
                if account.tokens <= 0 or now >= account.lapses:
                    if now < account.refused_until:
                        return _refusal(account, now)
                    if not await self._buy(key, account):
                        return _refusal(account, monotonic())
        account.tokens -= 1
        return Verdict(True, (account.left or 0) + account.tokens, max(0, ceil(account.reset_at - now)))

    async def _buy(self, key: str, account: _Account) -> bool:
        """Buy a lot; smaller ones when little is left, so that the last requests are shared out exactly."""
        left = self.policy.quota if account.left is None else account.left
        lot = max(1, min(self._lot, left // 10))
        result = await self._ask(key, lot)
        if result is not None and result.limited and lot > 1:
            lot, result = 1, await self._ask(key, 1)
        now = monotonic()
        account.is_counted = result is not None
        if result is None:
            account.left = None
            account.refused_until = account.retry_at = account.reset_at = now + _AWAY_SECONDS
            return False
        state = result.state
        account.left, account.reset_at = state.remaining, now + state.reset_after
        if result.limited:
            account.retry_at = now + state.retry_after
            account.refused_until = min(account.retry_at, now + _REPEATED_SECONDS)
            return False
        account.tokens, account.lapses = lot, now + self.policy.window.total_seconds()
        self._accounts.move_to_end(key)
        return True

    async def _ask(self, key: str, cost: int) -> RateLimitResult | None:
        """What the count says; None when there is none."""
        if monotonic() >= self._away_until:
            try:
                async with asyncio.timeout(self._patience):
                    return await self._shared.limit(key, cost)
            except (BaseThrottledError, OSError, TimeoutError) as error:
                self._away_until = monotonic() + _AWAY_SECONDS
                logger.warning("Requests are counted without Redis", error=type(error).__name__, open=self._is_open)
        return await self._own.limit(key, cost) if self._is_open else None


def create_limiter(
    name: Literal["user", "address"], settings: ApiSettings, redis: Redis, keys: RedisKeys
) -> RateLimiter:
    """The limiter for users, or for addresses, as the settings say."""
    quota = settings.rate_limit_per_user if name == "user" else settings.rate_limit_per_address
    policy = Policy(name, quota, settings.rate_limit_window)
    return RateLimiter(policy, redis, prefix=keys.prefix, without_redis=settings.rate_limit_without_redis)


def _refusal(account: _Account, now: float) -> Verdict:
    wait = max(1, ceil(account.retry_at - now))
    return Verdict(False, 0, max(wait, ceil(account.reset_at - now)), wait, account.is_counted)
