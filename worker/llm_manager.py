"""The chat models behind one door, called through langchain-openai. Heavy to import: only `worker.ports` does, late."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from datetime import timedelta
from typing import cast

import httpx2
import openai
from langchain_core.messages import AIMessageChunk
from langchain_openai import ChatOpenAI
from langchain_openai.chat_models.base import BaseChatOpenAI
from pydantic import SecretStr

from common.ports import ChatChunk, ChatRequest
from worker.config import WorkerSettings
from worker.llm.answer import AnswerReader
from worker.llm.card import ModelCard
from worker.llm.errors import UpstreamError
from worker.llm.faults import translate
from worker.llm.registry import ModelRegistry, ModelRoute
from worker.llm.request import to_messages, to_options
from worker.llm.watch import StreamWatch

# A bad chunk leaves the SDK as whatever broke while reading it: JSONDecodeError, KeyError, AttributeError.
_FAULTS = (
    openai.OpenAIError,
    httpx2.HTTPError,
    TimeoutError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
)
# Users name models, too, where another provider is set: more clients than this are built anew.
_MOST_CLIENTS = 64
_LIMITS = httpx2.Limits(max_connections=1000, max_keepalive_connections=100, keepalive_expiry=30)
# A proxy of the environment is not for servers on this machine.
_DIRECT: dict[str, None] = {f"all://{host}": None for host in ("127.0.0.1", "localhost", "[::1]")}


class LLMManager:
    """Every configured chat model, over one pool of connections. Implements `common.ports.ChatModel`."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self.registry = ModelRegistry(settings)
        # Beyond connecting, `StreamWatch` keeps the time.
        timeout = httpx2.Timeout(None, connect=settings.llm_connect_timeout.total_seconds())
        self._http = httpx2.AsyncClient(timeout=timeout, limits=_LIMITS, mounts=_DIRECT)
        self._clients: dict[tuple[str, str, SecretStr], BaseChatOpenAI] = {}
        # The first client loads more of the SDK; the first call should not wait for it.
        card = ModelCard(name="warm-up", is_openai=True)
        self._client(ModelRoute(card.name, "http://127.0.0.1", SecretStr("none"), card))

    @property
    def models(self) -> list[str]:
        """Names of the models known in advance."""
        return self.registry.names

    def stream(self, request: ChatRequest) -> AsyncGenerator[ChatChunk, None]:
        """See `ChatModel.stream`. The provider is always asked to stream, whatever `request.stream` says."""
        return self.call(self.registry.get_route(request.model), request)

    async def call(
        self,
        route: ModelRoute,
        request: ChatRequest,
        *,
        patience: timedelta | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncGenerator[ChatChunk, None]:
        """The answer of one model.

        `patience` bounds the wait for its first piece, below the model's own; `headers` go with the request.
        """
        watch = self._watch(route, patience)
        reader = AnswerReader(route.name)
        try:
            async with aclosing(self._ask(route, request, headers)) as source, aclosing(watch.read(source)) as pieces:
                async for piece in pieces:
                    yield reader.read(piece)
        except _FAULTS as error:
            # After its finish the answer is whole: a fault then only costs the usage.
            if not watch.finished:
                said = [message.content for message in request.messages]
                asked = [call.arguments for message in request.messages for call in message.tool_calls]
                private = (route.api_key.get_secret_value(), *said, *asked)
                raise translate(error, model=route.name, private=private) from None
        if not watch.finished:
            raise UpstreamError(f"{route.name} ended its answer without a finish reason; it may be cut off")

    async def aclose(self) -> None:
        """Close the connections; calls that are still running fail."""
        await self._http.aclose()

    def _watch(self, route: ModelRoute, patience: timedelta | None) -> StreamWatch:
        first = route.card.first_piece_timeout or self._settings.llm_first_piece_timeout
        return StreamWatch(
            first_piece=first if patience is None else min(first, patience),
            idle=route.card.idle_timeout or self._settings.llm_idle_timeout,
            max_bytes=self._settings.llm_max_answer_bytes,
        )

    def _ask(
        self, route: ModelRoute, request: ChatRequest, headers: Mapping[str, str] | None
    ) -> AsyncGenerator[AIMessageChunk, None]:
        options = to_options(request, route.card)
        if headers:
            options["extra_headers"] = dict(headers)
        # It is a generator, declared as less; closing it is what stops the HTTP call.
        answer = self._client(route).astream(to_messages(request), **options)
        return cast(AsyncGenerator[AIMessageChunk, None], answer)

    def _client(self, route: ModelRoute) -> BaseChatOpenAI:
        """One for each route, all on the same pool: the first call of a client waits for a thread of its SDK."""
        name = (route.name, route.base_url, route.api_key)
        if (found := self._clients.get(name)) is None:
            if len(self._clients) >= _MOST_CLIENTS:
                del self._clients[next(iter(self._clients))]
            found = self._clients[name] = self._build_client(route)
        return found

    def _build_client(self, route: ModelRoute) -> BaseChatOpenAI:
        async def key() -> str:
            return route.api_key.get_secret_value()

        # The base class says `max_tokens`, which compatible servers know; OpenAI wants `max_completion_tokens`.
        client = ChatOpenAI if route.card.is_openai else BaseChatOpenAI
        return client(
            model=route.upstream_name,
            base_url=route.base_url,
            api_key=key,
            http_async_client=self._http,
            max_retries=0,
            stream_usage=True,
            stream_chunk_timeout=None,
            use_responses_api=False,
        )
