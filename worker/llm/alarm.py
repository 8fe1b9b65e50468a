"""A time limit for many short waits in a row, whose timer is set about once for all of them."""

import asyncio
from collections.abc import Awaitable
from math import inf


class Alarm:
    """Bounds each wait of one task.

    `asyncio.timeout` sets and cancels a timer for every wait. This one leaves it set, and looks when it rings whether
    the wait of that moment is over its time. Close it at the end.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._rings_at = inf
        self._until = inf
        self._task: asyncio.Task[object] | None = None
        self._has_rung = False

    async def within[T](self, until: float, step: Awaitable[T]) -> T:
        """What `step` gives. Raises `TimeoutError` when it takes longer than `until`, by the loop's clock."""
        task = self._task = asyncio.current_task()
        assert task is not None
        cancels, self._until = task.cancelling(), until
        if until < self._rings_at:
            self._set(until)
        try:
            found = await step
        except asyncio.CancelledError:
            if self._has_rung and task.uncancel() <= cancels:
                raise TimeoutError from None
            raise
        finally:
            self._until = inf
        if self._has_rung:
            task.uncancel()
            raise TimeoutError
        return found

    def close(self) -> None:
        """Ring no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _set(self, when: float) -> None:
        self.close()
        self._rings_at = when
        self._timer = self._loop.call_at(when, self._ring)

    def _ring(self) -> None:
        self._rings_at = inf
        if self._until > self._loop.time():
            if self._until < inf:
                self._set(self._until)
            return
        if self._task is not None and not self._has_rung:
            self._has_rung = True
            self._task.cancel()
