"""How late an event loop is: also while something blocks it, when asked from another thread."""

import asyncio
from time import monotonic

_INTERVAL = 0.25


class LoopLag:
    """`run` measures in the loop; `seconds` may be read from any thread."""

    def __init__(self) -> None:
        self._due: float | None = None
        self._last = 0.0

    @property
    def seconds(self) -> float:
        """How late the loop is right now, or was at its last turn; 0 before `run`."""
        due = self._due
        return 0.0 if due is None else max(self._last, monotonic() - due)

    async def run(self) -> None:
        """Measure until cancelled."""
        try:
            while True:
                due = self._due = monotonic() + _INTERVAL
                await asyncio.sleep(_INTERVAL)
                self._last = max(0.0, monotonic() - due)
        finally:
            self._due = None
