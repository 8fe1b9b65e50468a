"""The chat models behind one door, called through langchain-openai. Heavy to import: only `worker.ports` does, late."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, cast

import httpx2
import openai
from langchain_core.messages import AIMessageChunk
from langchain_openai import ChatOpenAI
from langchain_openai.chat_models.base import BaseChatOpenAI
from pydantic import SecretStr

from common.errors import TransientError
from common.ports import ChatChunk, ChatRequest, FinishReason, Usage
from worker.config import WorkerSettings
from worker.llm.faults import translate
from worker.llm.registry import ModelRegistry, ModelRoute
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
_FINISH_REASONS: dict[str, FinishReason] = {
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}
_LIMITS = httpx2.Limits(max_connections=1000, max_keepalive_connections=100, keepalive_expiry=30)
# A proxy of the environment is not for servers on this machine.
_DIRECT: dict[str, None] = {f"all://{host}": None for host in ("127.0.0.1", "localhost", "[::1]")}


class LLMManager:
    """Every configured chat model, over one pool of connections. Implements `common.ports.ChatModel`."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._registry = ModelRegistry(settings)
        timeout = httpx2.Timeout(
            settings.llm_first_piece_timeout.total_seconds(), connect=settings.llm_connect_timeout.total_seconds()
        )
        self._http = httpx2.AsyncClient(timeout=timeout, limits=_LIMITS, mounts=_DIRECT)
        # The first client loads more of the SDK; the first call should not wait for it.
        self._client(ModelRoute("warm-up", "http://127.0.0.1", SecretStr("none"), is_openai=True))

    @property
    def models(self) -> list[str]:
        """Names of the models known in advance."""
        return self._registry.names

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ChatChunk, None]:
        """See `ChatModel.stream`. The provider is always asked to stream, whatever `request.stream` says."""
        route = self._registry.get_route(request.model)
        watch = StreamWatch(
            first_piece=self._settings.llm_first_piece_timeout,
            idle=self._settings.llm_idle_timeout,
            max_bytes=self._settings.llm_max_answer_bytes,
        )
        try:
            async with aclosing(self._call(route, request)) as source, aclosing(watch.read(source)) as pieces:
                async for piece in pieces:
                    yield _to_chunk(piece, route)
        except _FAULTS as error:
            # After its finish the answer is whole: a fault then only costs the usage.
            if not watch.finished:
                private = (route.api_key.get_secret_value(), *(message.content for message in request.messages))
                raise translate(error, model=route.name, private=private) from None
        if not watch.finished:
            raise TransientError(f"{route.name} ended its answer without a finish reason; it may be cut off")

    async def aclose(self) -> None:
        """Close the connections; calls that are still running fail."""
        await self._http.aclose()

    def _call(self, route: ModelRoute, request: ChatRequest) -> AsyncGenerator[AIMessageChunk, None]:
        options: dict[str, Any] = {}
        if request.temperature is not None and route.takes_temperature:
            options["temperature"] = request.temperature
        if request.max_tokens is not None:
            options["max_tokens"] = request.max_tokens
        messages = [(message.role, message.content) for message in request.messages]
        # It is a generator, declared as less; closing it is what stops the HTTP call.
        return cast(AsyncGenerator[AIMessageChunk, None], self._client(route).astream(messages, **options))

    def _client(self, route: ModelRoute) -> BaseChatOpenAI:
        """A client is light (0.3 ms): one a call, all on the same pool."""

        async def key() -> str:
            return route.api_key.get_secret_value()

        # The base class says `max_tokens`, which compatible servers know; OpenAI wants `max_completion_tokens`.
        client = ChatOpenAI if route.is_openai else BaseChatOpenAI
        return client(
            model=route.name,
            base_url=route.base_url,
            api_key=key,
            http_async_client=self._http,
            max_retries=0,
            stream_usage=True,
            stream_chunk_timeout=None,
            use_responses_api=False,
        )


def _to_chunk(piece: AIMessageChunk, route: ModelRoute) -> ChatChunk:
    told = piece.response_metadata
    reason = told.get("finish_reason")
    return ChatChunk(
        text=_storable(piece.text),
        model=told.get("model_name") or (route.name if reason else None),
        finish_reason=_FINISH_REASONS.get(reason, "stop") if reason else None,
        usage=_to_usage(piece),
    )


def _storable(text: str) -> str:
    """`text` without what PostgreSQL and UTF-8 refuse: NUL and halves of surrogate pairs."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")


def _to_usage(piece: AIMessageChunk) -> Usage | None:
    usage = piece.usage_metadata
    if usage is None:
        return None
    return Usage(
        input_tokens=usage["input_tokens"], output_tokens=usage["output_tokens"], total_tokens=usage["total_tokens"]
    )
