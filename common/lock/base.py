"""What a distributed lock promises, whatever keeps it."""

from abc import ABC, abstractmethod
from contextlib import AbstractAsyncContextManager


class DistributedLock(ABC):
    """Mutual exclusion between processes. Only the task that acquired a lock may extend or release it.

    A lock ends by itself `ttl` seconds after it was acquired or last renewed; what must not be written by a
    holder that came too late carries the number from `fence`.
    """

    @abstractmethod
    async def acquire(self, name: str, ttl: float, timeout: float | None = None) -> bool:  # noqa: ASYNC109
        """Take the lock for `ttl` seconds. Without `timeout` try once, else wait up to that many seconds."""

    @abstractmethod
    async def release(self, name: str) -> bool:
        """Give the lock back. False when this task does not hold it, or not any more."""

    @abstractmethod
    async def extend(self, name: str, seconds: float) -> bool:
        """Add `seconds` to what is left of the lock. False when this task does not hold it, or not any more."""

    @abstractmethod
    def fence(self, name: str) -> int:
        """A number that rises with every acquisition of `name`. Raises `LockLostError` when not held here."""

    @abstractmethod
    def lock(
        self, name: str, ttl: float, timeout: float | None = None, *, auto_renew: bool = False
    ) -> AbstractAsyncContextManager[bool]:
        """Hold the lock for a block; yields whether it was acquired, the block must ask.

        With `auto_renew` the lock lives as long as the block; should it be lost all the same, the block is
        cancelled before another can hold it, and `LockLostError` is raised.
        """
