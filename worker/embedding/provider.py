"""Embedding models of OpenAI and of compatible providers. Heavy to import: only `manager.py` does, late."""

import asyncio
import math
from collections.abc import Sequence
from typing import Any

import httpx2
import openai
from langchain_openai import OpenAIEmbeddings

from common.errors import TransientError
from worker.config import WorkerSettings
from worker.embedding.backend import RefusedTextError, Vectors
from worker.embedding.registry import EmbeddingRoute
from worker.llm.faults import translate
from worker.llm.registry import OPENAI_URL
from worker.llm.transport import StreamingClient

_FAULTS = (openai.OpenAIError, httpx2.HTTPError, TimeoutError, ValueError, LookupError, TypeError, AttributeError)
_REFUSALS = frozenset({400, 413, 422})
_LIMITS = httpx2.Limits(max_connections=200, max_keepalive_connections=50, keepalive_expiry=30)


class ProviderModel:
    """Implements `EmbeddingBackend` over HTTP, through langchain-openai."""

    def __init__(self, settings: WorkerSettings, route: EmbeddingRoute) -> None:
        self._route = route
        self._key = settings.openai_api_key.get_secret_value() if settings.openai_api_key else "not-needed"
        self._patience = settings.embedding_timeout.total_seconds()
        timeout = httpx2.Timeout(self._patience, connect=settings.llm_connect_timeout.total_seconds())
        self._http = StreamingClient(timeout=timeout, limits=_LIMITS)
        self._client = OpenAIEmbeddings(
            model=route.name,
            openai_api_base=settings.openai_base_url or OPENAI_URL,
            openai_api_key=self._get_key,
            openai_proxy=None,
            http_async_client=self._http,
            request_timeout=timeout,
            max_retries=0,
            dimensions=route.shorten_to,
            # Else it counts tokens with tables that it downloads.
            check_embedding_ctx_length=False,
        )

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """See `EmbeddingBackend.embed`."""
        options = {} if self._route.shorten_to is None else {"dimensions": self._route.shorten_to}
        try:
            async with asyncio.timeout(self._patience):
                # Its `aembed_documents` would drop the usage.
                answer = await self._client.async_client.create(input=list(texts), model=self._route.name, **options)
            return _read(answer, len(texts))
        except _FAULTS as error:
            told = translate(error, model=self._route.name, private=(self._key, *texts))
            if isinstance(error, openai.APIStatusError) and error.status_code in _REFUSALS:
                raise RefusedTextError(told.message) from None
            raise told from None

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _get_key(self) -> str:
        return self._key


def _read(answer: Any, count: int) -> Vectors:
    items = sorted(answer.data, key=lambda item: item.index)
    vectors: list[list[float]] = [item.embedding for item in items]
    if [item.index for item in items] != list(range(count)):
        raise TransientError(f"{answer.model} sent {len(items)} vectors for {count} texts")
    # A sum tells of any number that is not finite, and takes a fifth of the time of looking at each.
    if len({len(vector) for vector in vectors}) > 1 or not math.isfinite(sum(map(sum, vectors))):
        raise TransientError(f"{answer.model} sent vectors that cannot be used")
    return Vectors(vectors, answer.usage.prompt_tokens if answer.usage else None)
