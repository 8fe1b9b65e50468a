"""Hashes and checks passwords in threads, so that logins neither stop the loop nor fill the memory."""

from functools import partial

from anyio import CapacityLimiter, to_thread

from common.passwords import hash_password, needs_rehash, verify_password

_HASHES_AT_ONCE = 2  # each takes 19 MiB
_NO_USERS_HASH = "$argon2id$v=19$m=19456,t=2,p=1$IwTAGKNUyplTqpWy9r4Xgg$1Rb4y/gPsLwuhpeqcmh1PIJTW9g8VFHubKT1rLVpbRY"


class PasswordHasher:
    """Two at a time; callers bound how many wait."""

    def __init__(self) -> None:
        self._limiter = CapacityLimiter(_HASHES_AT_ONCE)

    async def matches(self, password: str, password_hash: str | None) -> bool:
        """Whether the password belongs to the hash. Takes as long when there is no hash, to tell no names."""
        work = partial(verify_password, password, password_hash or _NO_USERS_HASH)
        is_right = await to_thread.run_sync(work, limiter=self._limiter)
        return is_right and password_hash is not None

    async def hash(self, password: str) -> str:
        """The hash to store."""
        return await to_thread.run_sync(hash_password, password, limiter=self._limiter)

    async def rehash(self, password: str, password_hash: str) -> str | None:
        """A new hash when the stored one was made with weaker costs, else None."""
        return await self.hash(password) if needs_rehash(password_hash) else None
