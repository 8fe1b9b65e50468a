"""Cools a model down for every worker when its provider asks for it, or fails again and again."""

from collections import Counter
from datetime import timedelta

from loguru import logger

from worker.config import WorkerSettings
from worker.llm.errors import OverloadedError, UpstreamError
from worker.llm.flow import FlowControl

_LONGEST = timedelta(minutes=10)
# Whatever a provider asks for: one call an hour tells whether it meant that.
LONGEST_ASKED = timedelta(hours=1)


class Breaker:
    """Counts each model's failures in a row, as this worker sees them."""

    def __init__(self, settings: WorkerSettings, flow: FlowControl) -> None:
        self._after = settings.llm_cooldown_after
        self._cooldown = settings.llm_cooldown
        self._flow = flow
        self._streaks: Counter[str] = Counter()

    def succeeded(self, model: str) -> None:
        """The model answered: its streak is over."""
        self._streaks.pop(model, None)

    async def failed(self, model: str, error: Exception) -> None:
        """Look at what went wrong. A 429 cools the model at once; other trouble of the provider when it goes on."""
        if not isinstance(error, UpstreamError):
            return
        if isinstance(error, OverloadedError):
            delay = self._cooldown if error.retry_after is None else error.retry_after
        else:
            self._streaks[model] += 1
            if self._streaks[model] < self._after:
                return
            delay = self._cooldown * 2 ** min(self._streaks[model] - self._after, 10)
        delay = min(delay, _LONGEST if error.retry_after is None else LONGEST_ASKED)
        if delay > timedelta(0):
            logger.warning("A model cools down: model={} seconds={:g}", model, delay.total_seconds())
            await self._flow.cool_down(model, delay)
