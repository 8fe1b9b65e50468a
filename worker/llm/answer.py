"""The pieces of a streamed answer, as they come from langchain, turned into ours."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from langchain_core.messages import AIMessageChunk

from common.ports import ChatChunk, FinishReason
from worker.llm.errors import UpstreamError
from worker.llm.storable import storable
from worker.llm.tool_calls import ToolCallReader
from worker.llm.usage import read_usage

# Besides OpenAI's own words those of others; what is not here is a stop.
_FINISH_REASONS: dict[str, FinishReason] = {
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "tool_calls": "tool_calls",
    "tool_use": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "safety": "content_filter",
    "recitation": "content_filter",
}
_FAILED = frozenset({"error", "abort", "aborted", "insufficient_system_resource", "malformed_function_call"})
_LONGEST_NAME = 200


class AnswerReader:
    """Gathers the parts of tool calls until the answer's end; everything else passes through.

    `convert` reads what is more than a piece of text. `size` are the bytes of text and arguments so far.
    """

    def __init__(self, model: str, convert: Callable[[Any], AIMessageChunk | None]) -> None:
        self._model, self._convert = model, convert
        self._calls = ToolCallReader()
        self._is_refused = False
        self._rest: ChatChunk | None = None
        self.size = 0

    def read(self, chunks: Sequence[Any]) -> ChatChunk:
        """What came together, in our words.

        Raises `ValueError` for what cannot be read, `UpstreamError` when the provider says that it broke off.
        """
        self._rest = None
        text = storable("".join([self._text_of(chunk) for chunk in chunks]))
        self.size += len(text) if text.isascii() else len(text.encode())
        return ChatChunk(text) if self._rest is None else replace(self._rest, text=text)

    def _text_of(self, chunk: Any) -> str:
        if (text := _plain_text(chunk)) is not None:
            return text
        if not isinstance(chunk, dict):
            raise ValueError("a chunk is no object")
        if usage := read_usage(chunk.get("usage")):
            self._rest = replace(self._rest or ChatChunk(), usage=usage)
        delta = _delta_of(chunk)
        for part in delta.pop("tool_calls", None) or ():
            self.size += self._calls.add(part)
        refusal = delta.pop("refusal", None) or ""
        self._is_refused = self._is_refused or bool(refusal)
        text, told = _as_openai_sends_it(chunk, delta) or self._as_others_may(chunk)
        self._finish(told)
        return f"{text}{refusal}"

    def _as_others_may(self, chunk: dict[str, Any]) -> tuple[str, Mapping[str, Any]]:
        piece = self._convert({**chunk, "usage": None})
        return ("", {}) if piece is None else (piece.text, piece.response_metadata)

    def _finish(self, told: Mapping[str, Any]) -> None:
        if not (reason := told.get("finish_reason")):
            return
        if (folded := str(reason).lower()) in _FAILED:
            raise UpstreamError(f"{self._model} broke off with the finish reason {folded}")
        finish = _FINISH_REASONS.get(folded, "stop")
        if self._is_refused and finish == "stop":
            finish = "content_filter"
        calls = self._calls.calls(is_cut=finish in ("length", "content_filter"))
        self._rest = replace(
            self._rest or ChatChunk(),
            model=storable(str(told.get("model_name") or self._model))[:_LONGEST_NAME],
            finish_reason="tool_calls" if calls and finish == "stop" else finish,
            tool_calls=calls,
        )


def _plain_text(chunk: Any) -> str | None:
    """The text of a chunk that is nothing else; None for the others."""
    try:
        [choice] = chunk["choices"]
        delta = choice["delta"]
        if chunk.get("usage") or choice.get("finish_reason") or delta.get("tool_calls"):
            return None
        content = delta.get("content")
    except (LookupError, TypeError, ValueError, AttributeError):
        return None
    if not content:
        return None if delta.get("refusal") or delta.get("function_call") else ""
    return content if isinstance(content, str) else None


def _as_openai_sends_it(chunk: Mapping[str, Any], delta: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]] | None:
    """The text of a chunk and what it tells of the end; None when it takes more to read it."""
    choices, content = chunk.get("choices"), delta.get("content")
    if choices == []:
        return "", {}
    if not delta.keys() <= {"role", "content"} or not isinstance(content, str | None):
        return None
    match choices:
        case [{"delta": dict(), "finish_reason": reason}]:
            return content or "", {"finish_reason": reason, "model_name": chunk.get("model")}
        case _:
            return None


def _delta_of(chunk: Mapping[str, Any]) -> dict[str, Any]:
    """What the first choice of a chunk brings."""
    choices = chunk.get("choices") or [{}]
    delta: dict[str, Any] = choices[0].get("delta") or {}
    return delta
