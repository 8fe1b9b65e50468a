"""Embeddings on behalf of one attempt: under its tenant's limits and budgets, and never paid for twice."""

import base64
from array import array
from datetime import timedelta
from typing import Any

from common.errors import Snooze
from common.ports import CallOrigin, Embeddings, EmbedRequest, Usage
from common.repository.paid_call import CallKey
from worker.embedding.manager import EmbeddingManager
from worker.embedding.registry import EmbeddingRoute
from worker.llm.card import ModelCard
from worker.llm.desk import CallDesk, Estimate
from worker.llm.flow import FlowCall, FlowControl
from worker.llm.journal import AttemptJournal
from worker.llm.measure import check_texts
from worker.llm.meter import LlmMeter
from worker.llm.tokens import estimate_tokens


class BoundEmbeddings:
    """Implements `common.ports.EmbeddingModel` for one attempt."""

    def __init__(
        self,
        manager: EmbeddingManager,
        desk: CallDesk,
        flow: FlowControl,
        meter: LlmMeter,
        origin: CallOrigin,
        journal: AttemptJournal,
        patience: timedelta,
    ) -> None:
        self._manager, self._desk, self._flow, self._meter = manager, desk, flow, meter
        self._origin, self._journal, self._patience = origin, journal, patience

    async def embed(self, request: EmbedRequest) -> Embeddings:
        """See `EmbeddingModel.embed`."""
        self._manager.check_size(request.texts)
        route = self._manager.get_route(request.model)
        if route.is_packaged or not request.texts:
            return await self._manager.embed(request)
        card = self._manager.card_of(route)
        check_texts(request.texts, card)
        asked = {"model": route.name, "shorten_to": route.shorten_to, "texts": list(request.texts)}
        key = self._journal.next_key("embed", request.step, asked)
        is_known, kept = await self._journal.find(key)
        if is_known:
            self._meter.saved.add(route.name, "journal")
            return _unpack(kept)
        try:
            return await self._ask(request, route, card, key)
        except Snooze as wait:
            raise await self._desk.judge_wait(self._origin, wait) from None

    async def identity(self, model: str | None = None) -> tuple[str, int]:
        """See `EmbeddingModel.identity`."""
        return await self._manager.identity(model)

    async def _ask(self, request: EmbedRequest, route: EmbeddingRoute, card: ModelCard, key: CallKey) -> Embeddings:
        tokens = sum(map(estimate_tokens, request.texts))
        # No tokenizer makes more tokens than there are bytes.
        estimate = Estimate(tokens, sum(len(text.encode("utf-8", "replace")) for text in request.texts))
        flow_call = FlowCall(route.name, tokens, f"job:{self._origin.job_id}", self._origin.tenant_id, side="tenant")
        async with self._flow.admit(flow_call, patience=self._patience) as permit:
            call = await self._desk.open(self._origin, card, estimate, is_admitted=True)
            try:
                with self._meter.call(
                    "embeddings", model=route.name, provider=self._manager.provider, origin=self._origin
                ) as told:
                    answer = await self._manager.embed(request)
                    usage = answer.usage or Usage(input_tokens=tokens, total_tokens=tokens)
                    told.used(usage.input_tokens, 0, cost_usd=float(card.prices.cost(usage)))
            except BaseException:
                # The limits of the provider, and models that cool, are seen to where requests go out.
                await call.drop()
                raise
            await call.settle(usage, is_estimated=answer.usage is None, key=key, response=_pack(answer))
            await self._flow.settle(permit, usage.total_tokens)
        return answer


def _pack(answer: Embeddings) -> dict[str, Any]:
    """Four bytes a number: as JSON they would be five times as many."""
    vectors = [base64.b64encode(array("f", vector).tobytes()).decode() for vector in answer.vectors]
    usage = answer.usage.model_dump() if answer.usage else None
    return {"vectors": vectors, "model": answer.model, "dimension": answer.dimension, "usage": usage}


def _unpack(kept: Any) -> Embeddings:
    vectors = [array("f", base64.b64decode(vector)).tolist() for vector in kept["vectors"]]
    usage = Usage.model_validate(kept["usage"]) if kept["usage"] else None
    return Embeddings(vectors, kept["model"], kept["dimension"], usage)
