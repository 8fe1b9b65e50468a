"""How many listeners one user and one address may have, and how fast an address may knock."""

from collections import Counter
from datetime import timedelta
from time import monotonic
from uuid import UUID

from common.errors import RateLimitedError

_ONE_SECOND = timedelta(seconds=1)
_FORGET_ABOVE = 10_000


class TokenBucket:
    """So many a second, and as many at once after a pause of `burst` seconds."""

    def __init__(self, rate: float, *, burst: float = 2.0) -> None:
        self._rate = rate
        self._most = max(rate * burst, 1.0)
        self._left = self._most
        self._at = monotonic()

    def take(self) -> bool:
        """Whether one more is allowed now."""
        now = monotonic()
        self._left = min(self._left + (now - self._at) * self._rate, self._most)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True

    @property
    def is_full(self) -> bool:
        """Whether nothing was taken for a while; such a bucket can be forgotten."""
        return self._left + (monotonic() - self._at) * self._rate >= self._most


class Admission:
    """The listeners of all doors of one process. Who enters must leave."""

    def __init__(self, *, max_user: int, max_address: int, handshake_rate: float) -> None:
        self._max_user = max_user
        self._max_address = max_address
        self._handshake_rate = handshake_rate
        self._users: Counter[UUID] = Counter()
        self._addresses: Counter[str] = Counter()
        self._knocks: dict[str, TokenBucket] = {}

    def knock(self, address: str) -> None:
        """One more handshake of an address, before anything is spent on it. Raises `RateLimitedError`."""
        if len(self._knocks) > _FORGET_ABOVE:
            self._knocks = {name: bucket for name, bucket in self._knocks.items() if not bucket.is_full}
        bucket = self._knocks.setdefault(address, TokenBucket(self._handshake_rate))
        if not bucket.take():
            raise RateLimitedError("too many handshakes of this address", retry_after=_ONE_SECOND)
        if self._addresses[address] >= self._max_address:
            raise RateLimitedError("too many clients of this address", retry_after=_ONE_SECOND)

    def enter(self, user_id: UUID, address: str) -> None:
        """Let a listener in. Raises `RateLimitedError` when its user or address has enough of them."""
        if self._users[user_id] >= self._max_user:
            raise RateLimitedError("too many clients of this user", retry_after=_ONE_SECOND)
        if self._addresses[address] >= self._max_address:
            raise RateLimitedError("too many clients of this address", retry_after=_ONE_SECOND)
        self._users[user_id] += 1
        self._addresses[address] += 1

    def leave(self, user_id: UUID, address: str) -> None:
        """A listener is gone."""
        _lower(self._users, user_id)
        _lower(self._addresses, address)

    @property
    def count(self) -> int:
        """How many listeners there are."""
        return self._users.total()


def _lower[K](counter: Counter[K], key: K) -> None:
    counter[key] -= 1
    if counter[key] <= 0:
        del counter[key]
