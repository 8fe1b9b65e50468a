"""The chat models behind one door, called through langchain-openai. Heavy to import: only `worker.ports` does, late."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from datetime import timedelta

import httpx2
import openai
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
from worker.llm.transport import StreamingClient
from worker.llm.watch import StreamWatch
from worker.llm.wire import ChatWire

# A bad chunk leaves langchain as whatever broke while reading it: JSONDecodeError, KeyError, AttributeError.
_FAULTS = (
    openai.OpenAIError,
    httpx2.HTTPError,
    TimeoutError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
)
# Users name models, too, where another provider is set: more routes than this are built anew.
_MOST_WIRES = 64
# How many calls there are at a time is for the worker's slots and the flow control to say.
_LIMITS = httpx2.Limits(max_connections=None, keepalive_expiry=30)


class LLMManager:
    """Every configured chat model, over one pool of connections. Implements `common.ports.ChatModel`."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self.registry = ModelRegistry(settings)
        # Beyond connecting, `StreamWatch` keeps the time.
        timeout = httpx2.Timeout(None, connect=settings.llm_connect_timeout.total_seconds())
        self._http = StreamingClient(timeout=timeout, limits=_LIMITS)
        self._wires: dict[tuple[str, str, SecretStr], ChatWire] = {}
        # The first client loads more of the SDK; the first call should not wait for it.
        card = ModelCard(name="warm-up", is_openai=True)
        self._wire(ModelRoute(card.name, "http://127.0.0.1", SecretStr("none"), card))

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
        """The answer of one model; what arrives together is one piece.

        `patience` bounds the wait for its first piece, below the model's own; `headers` go with the request.
        """
        watch = self._watch(route, patience)
        wire = self._wire(route)
        reader = AnswerReader(route.name, wire.convert)
        try:
            options = to_options(request, route.card, headers)
            async with aclosing(await watch.wait(wire.open(to_messages(request), options))) as stream:
                while (chunks := await watch.wait(stream.read())) is not None:
                    chunk = reader.read(chunks)
                    watch.heard(reader.size, finished=chunk.finish_reason is not None)
                    yield chunk
                with suppress(TimeoutError, httpx2.HTTPError):
                    await watch.drain(stream.drain())
        except _FAULTS as error:
            # After its finish the answer is whole: a fault then only costs the usage.
            if not watch.finished:
                said = [message.content for message in request.messages]
                asked = [call.arguments for message in request.messages for call in message.tool_calls]
                private = (route.api_key.get_secret_value(), *said, *asked)
                raise translate(error, model=route.name, private=private) from None
        finally:
            watch.close()
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

    def _wire(self, route: ModelRoute) -> ChatWire:
        """One for each route, all on the same pool."""
        name = (route.name, route.base_url, route.api_key)
        if (found := self._wires.get(name)) is None:
            if len(self._wires) >= _MOST_WIRES:
                del self._wires[next(iter(self._wires))]
            most = self._settings.llm_max_answer_bytes
            client = self._build_client(route)
            found = self._wires[name] = ChatWire(client, self._http, route.api_key, most_bytes=most)
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
