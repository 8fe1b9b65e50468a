"""Embeddings on behalf of one attempt: under the limits of its tenant."""

from datetime import timedelta

from common.ports import CallOrigin, Embeddings, EmbedRequest
from worker.embedding.manager import EmbeddingManager
from worker.llm.flow import FlowCall, FlowControl
from worker.llm.tokens import estimate_tokens


class BoundEmbeddings:
    """Implements `common.ports.EmbeddingModel` for one attempt."""

    def __init__(self, manager: EmbeddingManager, flow: FlowControl, origin: CallOrigin, patience: timedelta) -> None:
        self._manager, self._flow, self._origin, self._patience = manager, flow, origin, patience

    async def embed(self, request: EmbedRequest) -> Embeddings:
        """See `EmbeddingModel.embed`."""
        model = self._manager.name_of(request.model)
        tokens = sum(map(estimate_tokens, request.texts))
        origin = self._origin
        call = FlowCall(model, tokens, f"job:{origin.job_id}", origin.tenant_id, side="tenant")
        async with self._flow.admit(call, patience=self._patience) as permit:
            answer = await self._manager.embed(request)
            await self._flow.settle(permit, answer.usage.total_tokens if answer.usage else None)
        return answer

    async def identity(self, model: str | None = None) -> tuple[str, int]:
        """See `EmbeddingModel.identity`."""
        return await self._manager.identity(model)
