"""Requests of one embedding model under the limits of the provider; those of tenants are `bound.py`'s."""

from collections.abc import Sequence
from datetime import timedelta

from common.ids import new_id
from worker.embedding.backend import EmbeddingBackend, Vectors
from worker.llm.breaker import LONGEST_ASKED
from worker.llm.cooling import put_off
from worker.llm.errors import OverloadedError
from worker.llm.flow import FlowCall, FlowControl
from worker.llm.flow_limits import FlowLimits
from worker.llm.tokens import estimate_tokens


class FlowingModel:
    """Implements `EmbeddingBackend` over another one. A request may carry texts of several tenants."""

    def __init__(
        self,
        backend: EmbeddingBackend,
        flow: FlowControl,
        model: str,
        *,
        limits: FlowLimits,
        patience: timedelta,
        cooldown: timedelta,
    ) -> None:
        self._backend, self._flow, self._model, self._limits = backend, flow, model, limits
        self._patience, self._cooldown = patience, cooldown
        self._waiter = f"embedding:{new_id()}"

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """See `EmbeddingBackend.embed`. Raises `Snooze` when a limit or a cooling model makes it wait."""
        tokens = sum(map(estimate_tokens, texts))
        call = FlowCall(self._model, tokens, self._waiter, limits=self._limits, side="model")
        async with self._flow.admit(call, patience=self._patience) as permit:
            try:
                answer = await self._backend.embed(texts)
            except OverloadedError as error:
                delay = self._cooldown if error.retry_after is None else error.retry_after
                await self._flow.cool_down(self._model, min(delay, LONGEST_ASKED))
                raise put_off(error, self._cooldown) from None
            await self._flow.settle(permit, answer.tokens)
        return answer

    async def aclose(self) -> None:
        """Release the model."""
        await self._backend.aclose()
