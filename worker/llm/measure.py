"""How long requests are, guessed before anything is paid: for limits and budgets, and for what a model can take."""

from collections.abc import Sequence
from dataclasses import asdict

from pydantic_core import to_json

from common.errors import PromptTooLongError
from common.ports import ChatRequest, Usage
from worker.llm.card import ModelCard
from worker.llm.desk import Estimate
from worker.llm.stored_answer import Answer
from worker.llm.tokens import estimate_tokens, least_tokens

_TURN_OVERHEAD = 16
_LEAST_TURN_OVERHEAD = 3
_USUAL_OUTPUT = 1000


def estimate(request: ChatRequest, card: ModelCard) -> Estimate:
    """What limits count and budgets keep back. No text has more tokens than bytes."""
    text = _text_of(request)
    most_output = request.max_tokens or card.max_output
    most_input = len(text.encode("utf-8", "replace")) + _TURN_OVERHEAD * (len(request.messages) + len(request.tools))
    likely = estimate_tokens(text) + (request.max_tokens or min(most_output, _USUAL_OUTPUT))
    return Estimate(likely, most_input, most_output)


def guess_usage(request: ChatRequest, answer: Answer) -> Usage:
    """What a call came to that nobody counted."""
    read = estimate_tokens(_text_of(request))
    written = estimate_tokens(answer.text + "".join(call.arguments for call in answer.tool_calls))
    return Usage(input_tokens=read, output_tokens=written, total_tokens=read + written)


def fits(request: ChatRequest, card: ModelCard) -> bool:
    """Whether the model may have room for the conversation and an answer of `max_tokens`."""
    return card.context_window is None or _least_of(request) + (request.max_tokens or 1) <= card.context_window


def check_window(request: ChatRequest, card: ModelCard) -> None:
    """Raises `PromptTooLongError` with the numbers when the model surely has no room; it judges near misses itself."""
    if fits(request, card):
        return
    read, window = _least_of(request), card.context_window
    answer = "" if request.max_tokens is None else f" and max_tokens is {request.max_tokens}"
    raise PromptTooLongError(
        f"the conversation has at least {read} tokens{answer}; {card.name} takes {window} together (context_window)",
        model=card.name,
        input_tokens=read,
        max_tokens=request.max_tokens,
        context_window=window,
    )


def check_texts(texts: Sequence[str], card: ModelCard) -> None:
    """Raises `PromptTooLongError` for the first text that is surely longer than an embedding model reads."""
    if (window := card.context_window) is None:
        return
    for number, text in enumerate(texts, 1):
        if (read := least_tokens(text)) > window:
            raise PromptTooLongError(
                f"text {number} has at least {read} tokens; {card.name} reads {window} of each (context_window)",
                model=card.name,
                input_tokens=read,
                context_window=window,
            )


def _least_of(request: ChatRequest) -> int:
    return least_tokens(_text_of(request)) + _LEAST_TURN_OVERHEAD * len(request.messages)


def _text_of(request: ChatRequest) -> str:
    said = [message.content + "".join(call.arguments for call in message.tool_calls) for message in request.messages]
    extra = [to_json(asdict(tool)).decode() for tool in request.tools]
    if request.response_schema is not None:
        extra.append(to_json(request.response_schema).decode())
    return "".join(said + extra)
