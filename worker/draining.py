"""A drain that operators asked for: what runs gets its grace, then goes back to the queue; the process stays."""

import asyncio
from collections.abc import Callable

from loguru import logger


class Draining:
    """`hand_back` is called when the grace, seconds, is over and nobody has changed their mind."""

    def __init__(self, hand_back: Callable[[], None], grace: float) -> None:
        self._hand_back = hand_back
        self._grace = grace
        self._timer: asyncio.TimerHandle | None = None

    def obey(self, hands_back: bool) -> None:
        """What the newest heartbeat said."""
        if hands_back == (self._timer is not None):
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            return
        logger.info("Draining, because an operator asked")
        self._timer = asyncio.get_running_loop().call_later(self._grace, self._hand_back)
