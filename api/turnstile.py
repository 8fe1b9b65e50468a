"""Lets few through at once and few wait, so that a flood of one thing leaves connections and time for the rest."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from common.errors import UnavailableError


class Turnstile:
    """`async with turnstile.turn():` waits for its turn, or raises `UnavailableError` when too many wait already."""

    def __init__(self, *, at_once: int, most_waiting: int) -> None:
        self._places = asyncio.Semaphore(at_once)
        self._most = at_once + most_waiting
        self._inside = 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """One turn, from its beginning to its end."""
        if self._inside >= self._most:
            raise UnavailableError("Too many of these requests at once; try again soon.", retry_after=_SOON)
        self._inside += 1
        try:
            async with self._places:
                yield
        finally:
            self._inside -= 1


_SOON = timedelta(seconds=2)
