"""Hashes and checks passwords in threads, so that logins neither stop the loop nor fill the memory."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

from anyio import CapacityLimiter, to_thread

from api.config import ApiSettings
from common.errors import UnavailableError
from common.passwords import hash_password, needs_rehash, verify_password

_HASHES_AT_ONCE = 2  # each takes 19 MiB
_NO_USERS_HASH = "$argon2id$v=19$m=19456,t=2,p=1$IwTAGKNUyplTqpWy9r4Xgg$1Rb4y/gPsLwuhpeqcmh1PIJTW9g8VFHubKT1rLVpbRY"


class PasswordHasher:
    """Two at a time, MAX_WAITING_HASHES wait. Every method raises `UnavailableError` when the queue is full."""

    def __init__(self, settings: ApiSettings) -> None:
        self._limiter = CapacityLimiter(_HASHES_AT_ONCE)
        self._most = _HASHES_AT_ONCE + settings.max_waiting_hashes
        self._under_way = 0

    async def matches(self, password: str, password_hash: str | None) -> bool:
        """Whether the password belongs to the hash. Takes as long when there is no hash, to tell no names."""
        is_right = await self._run(partial(verify_password, password, password_hash or _NO_USERS_HASH))
        return is_right and password_hash is not None

    async def hash(self, password: str) -> str:
        """The hash to store."""
        return await self._run(partial(hash_password, password))

    async def rehash(self, password: str, password_hash: str) -> str | None:
        """A new hash when the stored one was made with weaker costs, else None."""
        return await self.hash(password) if needs_rehash(password_hash) else None

    async def _run[T](self, work: Callable[[], T]) -> T:
        if self._under_way >= self._most:
            raise UnavailableError("Too many logins at once; try again soon.", retry_after=timedelta(seconds=2))
        self._under_way += 1
        try:
            return await to_thread.run_sync(work, limiter=self._limiter)
        finally:
            self._under_way -= 1
