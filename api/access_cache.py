"""Who was behind a token a moment ago, so that not every request asks PostgreSQL."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic
from uuid import UUID

from api.caller import Caller

_MAX_TOKENS = 10_000


@dataclass(frozen=True, slots=True)
class _Known:
    caller: Caller
    until: float


class AccessCache:
    """Proved identities by the digest of their token; refusals are not kept.

    `forget` makes a revocation count at once. A lookup that began before one must not bring the old answer back:
    `put` wants the `generation` from before the lookup.
    """

    def __init__(self, lifetime: timedelta) -> None:
        self._lifetime = lifetime.total_seconds()
        self._known: dict[bytes, _Known] = {}
        self._tokens: defaultdict[UUID, set[bytes]] = defaultdict(set)
        self.generation = 0

    def find(self, token: bytes) -> Caller | None:
        """Who the token's digest stands for, if that was found out lately."""
        known = self._known.get(token)
        if known is None:
            return None
        if monotonic() < known.until:
            return known.caller
        self._drop(token)
        return None

    def put(self, token: bytes, caller: Caller, *, generation: int, valid_for: float | None = None) -> None:
        """Keep an answer for the lifetime of the cache, or for `valid_for` seconds when that is shorter."""
        lifetime = self._lifetime if valid_for is None else min(self._lifetime, valid_for)
        if lifetime <= 0 or generation != self.generation:
            return
        if len(self._known) >= _MAX_TOKENS:
            self._drop(next(iter(self._known)))
        self._known[token] = _Known(caller, monotonic() + lifetime)
        self._tokens[caller.user_id].add(token)

    def forget(self, user_id: UUID) -> None:
        """Look everything up again that the user's tokens stand for."""
        self.generation += 1
        for token in self._tokens.pop(user_id, ()):
            self._known.pop(token, None)

    def clear(self) -> None:
        """Look everything up again."""
        self.generation += 1
        self._known.clear()
        self._tokens.clear()

    def _drop(self, token: bytes) -> None:
        known = self._known.pop(token)
        tokens = self._tokens[known.caller.user_id]
        tokens.discard(token)
        if not tokens:
            del self._tokens[known.caller.user_id]
