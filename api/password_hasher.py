"""Hashes and checks passwords in threads, so that logins neither stop the loop nor fill the memory."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from common.passwords import hash_password, needs_rehash, verify_password

_HASHES_AT_ONCE = 2  # each takes 19 MiB
_NICENESS = 5  # on Linux a thread's own: where processors are short, requests go before hashes
_NO_USERS_HASH = "$argon2id$v=19$m=19456,t=2,p=1$IwTAGKNUyplTqpWy9r4Xgg$1Rb4y/gPsLwuhpeqcmh1PIJTW9g8VFHubKT1rLVpbRY"


class PasswordHasher:
    """Two at a time, in threads of their own; callers bound how many wait."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_HASHES_AT_ONCE, "hash", initializer=os.nice, initargs=(_NICENESS,))

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
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)
