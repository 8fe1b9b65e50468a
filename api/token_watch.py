"""Who stays connected for long: tokens are asked for again, and who has none that holds any more is sent away."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from loguru import logger

from api.caller import Caller
from common.errors import ForbiddenError, UnauthorizedError

_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class _Watched:
    caller: Caller
    identify: Callable[[], Awaitable[Caller]]
    send_away: Callable[[], Awaitable[None]]


class TokenWatch:
    """`async with watch:` asks every `interval`. A database that is away sends nobody away."""

    def __init__(self, interval: timedelta) -> None:
        self._interval = interval.total_seconds()
        self._watched: dict[str, _Watched] = {}
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="token-watch")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def add(
        self,
        listener: str,
        caller: Caller,
        identify: Callable[[], Awaitable[Caller]],
        send_away: Callable[[], Awaitable[None]],
    ) -> None:
        """Ask `identify` again and again; once it gives another caller or refuses, `send_away` is called."""
        self._watched[listener] = _Watched(caller, identify, send_away)

    def remove(self, listener: str) -> None:
        """The listener is gone."""
        self._watched.pop(listener, None)

    async def _run(self) -> None:
        turns = asyncio.Semaphore(_AT_ONCE)
        while True:
            await asyncio.sleep(self._interval)
            await asyncio.gather(*(self._check(name, turns) for name in list(self._watched)))

    async def _check(self, listener: str, turns: asyncio.Semaphore) -> None:
        async with turns:
            if (watched := self._watched.get(listener)) is None:
                return
            try:
                if await watched.identify() == watched.caller:
                    return
            except (UnauthorizedError, ForbiddenError):
                pass
            except Exception as error:
                logger.warning("A token could not be checked: {}", type(error).__name__)
                return
            try:
                await watched.send_away()
            except Exception:
                logger.exception("A client could not be sent away")
