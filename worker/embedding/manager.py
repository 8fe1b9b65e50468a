"""The embedding models behind one door: each is built, with its batcher, when its first text comes."""

import asyncio
import importlib
from collections.abc import Sequence
from urllib.parse import urlsplit

from common.errors import PermanentError, TransientError
from common.ports import Embeddings, EmbedRequest, Usage
from worker.config import WorkerSettings
from worker.embedding.backend import EmbeddingBackend
from worker.embedding.batcher import BatchLimits, MicroBatcher
from worker.embedding.flowing import FlowingModel
from worker.embedding.packaged import PACKAGED_THREADS, PackagedModel
from worker.embedding.registry import EmbeddingRegistry, EmbeddingRoute
from worker.llm.card import CardBox, ModelCard
from worker.llm.desk import flow_limits
from worker.llm.flow import FlowControl

_PACKAGED_ITEMS = 16
_PROBE = "dimension"
# Users name models, too, where another provider is set: of more than these, one that nobody uses is let go.
_MOST_MODELS = 64


class EmbeddingManager:
    """Every configured embedding model. Implements `common.ports.EmbeddingModel`. Light until it is used."""

    def __init__(self, settings: WorkerSettings, flow: FlowControl) -> None:
        self._settings = settings
        self._flow = flow
        self._registry = EmbeddingRegistry(settings)
        self._cards = CardBox(settings.llm_models)
        self._batchers: dict[str, MicroBatcher] = {}
        self._dimensions: dict[str, int] = {}
        self._building = asyncio.Lock()

    @property
    def models(self) -> list[str]:
        """Names of the models known in advance."""
        return self._registry.names

    @property
    def provider(self) -> str:
        """The provider's name in figures and traces."""
        host = urlsplit(self._settings.openai_base_url or "").hostname or ""
        return "openai" if not host or host.endswith("openai.com") else host

    def get_route(self, model: str | None) -> EmbeddingRoute:
        """The model of this name. Raises `PermanentError` for one that nobody knows."""
        return self._registry.get_route(model)

    def card_of(self, route: EmbeddingRoute) -> ModelCard:
        """What the model costs, and its limits."""
        return self._cards.get(route.name)

    def check_size(self, texts: Sequence[str]) -> None:
        """Raises `PermanentError` for more texts than one call may bring."""
        most = self._settings.embedding_max_texts
        if len(texts) > most:
            raise PermanentError(f"{len(texts)} texts in one call; EMBEDDING_MAX_TEXTS allows {most}")

    async def embed(self, request: EmbedRequest) -> Embeddings:
        """See `EmbeddingModel.embed`."""
        route = self._registry.get_route(request.model)
        if not request.texts:
            return Embeddings((), route.name, route.dimension or 0)
        answer = await (await self._batcher(route)).embed(request.texts)
        dimension = len(answer.vectors[0])
        if self._dimensions.setdefault(route.name, route.dimension or dimension) != dimension:
            expected = self._dimensions[route.name]
            raise TransientError(f"{route.name} sent vectors of {dimension} numbers instead of {expected}")
        tokens = answer.tokens
        usage = None if tokens is None else Usage(input_tokens=tokens, output_tokens=0, total_tokens=tokens)
        return Embeddings(answer.vectors, route.name, dimension, usage)

    async def identity(self, model: str | None = None) -> tuple[str, int]:
        """See `EmbeddingModel.identity`. A model that nobody knows is asked for one vector, once."""
        route = self._registry.get_route(model)
        known = route.dimension or self._dimensions.get(route.name)
        if known is None:
            known = (await self.embed(EmbedRequest((_PROBE,), route.name))).dimension
        return route.name, known

    async def aclose(self) -> None:
        """Release the models; calls that still wait are cancelled."""
        for batcher in self._batchers.values():
            await batcher.aclose()

    async def _batcher(self, route: EmbeddingRoute) -> MicroBatcher:
        if found := self._batchers.get(route.name):
            return found
        async with self._building:
            if route.name not in self._batchers:
                await self._make_room()
                self._batchers[route.name] = MicroBatcher(await self._build(route), self._limits(route))
        return self._batchers[route.name]

    async def _make_room(self) -> None:
        if len(self._batchers) < _MOST_MODELS:
            return
        if idle := next((name for name, batcher in self._batchers.items() if batcher.is_idle), None):
            self._dimensions.pop(idle, None)
            await self._batchers.pop(idle).aclose()

    async def _build(self, route: EmbeddingRoute) -> EmbeddingBackend:
        if route.is_packaged:
            return PackagedModel()
        # By name and in a thread: it imports langchain-openai, which takes seconds.
        module = await asyncio.to_thread(importlib.import_module, "worker.embedding.provider")
        return FlowingModel(
            module.ProviderModel(self._settings, route),
            self._flow,
            route.name,
            limits=flow_limits(self.card_of(route)),
            patience=self._settings.llm_limit_patience,
            cooldown=self._settings.llm_cooldown,
        )

    def _limits(self, route: EmbeddingRoute) -> BatchLimits:
        chosen = self._settings
        wait = chosen.embedding_batch_wait.total_seconds()
        if route.is_packaged:
            # Small requests let callers take turns.
            items = min(chosen.embedding_batch_size, _PACKAGED_ITEMS)
            return BatchLimits(items, chosen.embedding_batch_tokens, wait, at_once=PACKAGED_THREADS, at_once_per_call=1)
        return BatchLimits(chosen.embedding_batch_size, chosen.embedding_batch_tokens, wait)
