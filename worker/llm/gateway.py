"""The chat models for one attempt: what was paid for is told again, what is new is let out, paid and kept."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import asdict, dataclass
from datetime import timedelta
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from common.errors import JobError
from common.ports import CallOrigin, ChatChunk, ChatRequest, Usage
from common.repository.paid_call import CallKey
from worker.llm.cache import AnswerCache
from worker.llm.desk import CallDesk, OpenCall
from worker.llm.journal import AttemptJournal
from worker.llm.measure import check_window, estimate, fits, guess_usage
from worker.llm.meter import LlmCall, LlmMeter
from worker.llm.registry import ModelRegistry, ModelRoute
from worker.llm.stored_answer import Answer
from worker.llm.trouble import Trouble

if TYPE_CHECKING:
    from worker.llm_manager import LLMManager

_SHORTEST_CALL = 1.0
_COMPARED = (
    "model",
    "temperature",
    "max_tokens",
    "tool_choice",
    "response_schema",
    "response_name",
    "response_strict",
    "is_json",
    "options",
)


@dataclass(frozen=True, slots=True)
class ChatParts:
    """What the gateways of all attempts share."""

    registry: ModelRegistry
    manager: "Callable[[], Awaitable[LLMManager]]"
    desk: CallDesk
    cache: AnswerCache
    meter: LlmMeter


class ChatGateway:
    """Implements `common.ports.ChatModel` for one attempt."""

    def __init__(self, parts: ChatParts, origin: CallOrigin, journal: AttemptJournal) -> None:
        self._parts = parts
        self._origin = origin
        self._journal = journal

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ChatChunk, None]:
        """See `ChatModel.stream`. An answer that was paid for, or is cached, comes in one piece."""
        routes = self._parts.registry.get_chain(request.model)
        key = self._journal.next_key("chat", request.step, _asked(request))
        is_known, kept = await self._journal.find(key)
        if is_known:
            self._parts.meter.saved.add(routes[0].name, "journal")
            for chunk in Answer.of(kept).retold():
                yield chunk
            return
        if (kept := await self._cached(request, routes[0], key)) is not None:
            await self._parts.desk.note_cached(self._origin, routes[0].card, key, kept)
            self._parts.meter.saved.add(routes[0].name, "cache")
            for chunk in Answer.of(kept).retold(is_cached=True):
                yield chunk
            return
        async with aclosing(self._ask(routes, request, key)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def _cached(self, request: ChatRequest, route: ModelRoute, key: CallKey) -> Any:
        if not self._parts.cache.serves(request):
            return None
        return await self._parts.cache.find(self._origin.tenant_id, route.name, key.input_hash)

    async def _ask(
        self, routes: list[ModelRoute], request: ChatRequest, key: CallKey
    ) -> AsyncGenerator[ChatChunk, None]:
        """The answer of the first model that gives one; a text that has begun is not begun anew by another model."""
        check_window(request, routes[0].card)
        routes = [routes[0], *(route for route in routes[1:] if fits(request, route.card))]
        trouble = Trouble(self._parts.desk)
        for number, route in enumerate(routes):
            if trouble.has_failed and self._time_left() < _SHORTEST_CALL:
                break
            answer = Answer()
            patience = self._patience(len(routes) - number)
            try:
                call = await self._parts.desk.open(self._origin, route.card, estimate(request, route.card))
                async with aclosing(self._pass(route, request, call, answer, patience)) as chunks:
                    async for chunk in chunks:
                        yield chunk
            except JobError as error:
                trouble.note(route.name, error, stands_in=number > 0 and not answer.pieces)
            else:
                await self._conclude(request, routes[0], key, call, answer)
                yield answer.last_chunk()
                return
            if answer.pieces or answer.finish_reason:
                break
        raise await trouble.verdict(self._origin)

    async def _pass(
        self, route: ModelRoute, request: ChatRequest, call: OpenCall, answer: Answer, patience: timedelta | None
    ) -> AsyncGenerator[ChatChunk, None]:
        """The text of one model's answer as it comes; the rest of it gathers in `answer`."""
        try:
            manager = await self._parts.manager()
            with self._parts.meter.call(
                "chat", model=route.name, provider=_provider(route), origin=self._origin
            ) as told:
                source = manager.call(route, request, patience=patience, headers=told.headers)
                async with aclosing(source) as chunks:
                    async for chunk in chunks:
                        answer.add(chunk)
                        if chunk.text:
                            told.heard()
                            yield chunk if chunk.is_text_only else ChatChunk(chunk.text)
                _tell(told, route, answer)
        except BaseException as error:
            await _abandon(call, error, request, answer)
            raise

    async def _conclude(
        self, request: ChatRequest, first: ModelRoute, key: CallKey, call: OpenCall, answer: Answer
    ) -> None:
        """Everything is written before the last piece is handed on: what the handler saw whole is never paid again."""
        kept = answer.as_json()
        usage = answer.usage or guess_usage(request, answer)
        await call.settle(usage, is_estimated=answer.usage is None, key=key, response=kept)
        if self._parts.cache.serves(request) and answer.finish_reason in ("stop", "tool_calls"):
            await self._parts.cache.keep(self._origin.tenant_id, first.name, key.input_hash, kept)

    def _time_left(self) -> float:
        return self._origin.ends_at - monotonic()

    def _patience(self, models_left: int) -> timedelta | None:
        """How long a model may be silent while another could still answer within the attempt's time."""
        left = self._time_left()
        return None if models_left == 1 or left == inf else timedelta(seconds=max(left / models_left, _SHORTEST_CALL))


async def _abandon(call: OpenCall, error: BaseException, request: ChatRequest, answer: Answer) -> None:
    """What was said before it broke off is billed by most providers, though nobody tells how much."""
    usage = answer.usage or (guess_usage(request, answer) if answer.pieces else Usage())
    if isinstance(error, Exception):
        await call.fail(error, usage)
    else:
        await call.drop(usage)


def _asked(request: ChatRequest) -> dict[str, Any]:
    """What makes two requests equal: everything but how the answer is told and kept."""
    fields = {name: getattr(request, name) for name in _COMPARED}
    tools = [asdict(tool) for tool in request.tools]
    return {**fields, "tools": tools, "messages": [message.model_dump() for message in request.messages]}


def _tell(told: LlmCall, route: ModelRoute, answer: Answer) -> None:
    if answer.model:
        told.answered_by(answer.model)
    if (usage := answer.usage) is not None:
        told.used(usage.input_tokens, usage.output_tokens, cost_usd=float(route.card.prices.cost(usage)))


def _provider(route: ModelRoute) -> str:
    """The provider's name in figures and traces."""
    host = urlsplit(route.base_url).hostname or ""
    return "openai" if host.endswith("openai.com") else host
