"""The pieces of a streamed answer, as they come from langchain, turned into ours."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from langchain_core.messages import AIMessageChunk

from common.ports import ChatChunk, FinishReason, ToolCall, Usage

_FINISH_REASONS: dict[str, FinishReason] = {
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}


@dataclass(slots=True)
class _CallSoFar:
    id: str = ""
    name: str = ""
    arguments: str = ""


class AnswerReader:
    """Gathers the parts of tool calls until the answer's end; everything else passes through.

    `convert` reads what is more than a piece of text. `size` are the bytes of text and arguments so far.
    """

    def __init__(self, model: str, convert: Callable[[Any], AIMessageChunk | None]) -> None:
        self._model, self._convert = model, convert
        self._calls: dict[int, _CallSoFar] = {}
        self._rest: ChatChunk | None = None
        self.size = 0

    def read(self, chunks: Sequence[Any]) -> ChatChunk:
        """What came together, in our words. Raises `ValueError` for a tool call without an id or a name."""
        self._rest = None
        text = storable("".join([self._text_of(chunk) for chunk in chunks]))
        self.size += len(text) if text.isascii() else len(text.encode())
        return ChatChunk(text) if self._rest is None else replace(self._rest, text=text)

    def _text_of(self, chunk: Any) -> str:
        if (text := _plain_text(chunk)) is not None:
            return text
        piece = self._convert(chunk)
        if piece is None:
            return ""
        self._take(piece)
        return piece.text

    def _take(self, piece: AIMessageChunk) -> None:
        for part in piece.tool_call_chunks:
            call = self._calls.setdefault(part["index"] or 0, _CallSoFar())
            call.id = part["id"] or call.id
            call.name += part["name"] or ""
            call.arguments += part["args"] or ""
            self.size += len((part["args"] or "").encode("utf-8", "replace"))
        told = piece.response_metadata
        if reason := told.get("finish_reason"):
            finish = _FINISH_REASONS.get(reason, "stop")
            calls = self._whole_calls(is_cut=finish in ("length", "content_filter"))
            self._rest = replace(
                self._rest or ChatChunk(),
                model=told.get("model_name") or self._model,
                finish_reason="tool_calls" if calls and finish == "stop" else finish,
                tool_calls=calls,
            )
        if usage := _to_usage(piece):
            self._rest = replace(self._rest or ChatChunk(), usage=usage)

    def _whole_calls(self, *, is_cut: bool) -> tuple[ToolCall, ...]:
        """The calls, in order; of an answer that was cut off those whose arguments are whole."""
        found = [self._calls[index] for index in sorted(self._calls)]
        return tuple(
            ToolCall(id=storable(call.id), name=storable(call.name), arguments=storable(call.arguments))
            for call in found
            if not is_cut or _is_json(call.arguments)
        )


def storable(text: str) -> str:
    """`text` without what PostgreSQL and UTF-8 refuse: NUL and halves of surrogate pairs."""
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode()
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


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
    if content is None and not delta.get("function_call"):
        return ""
    return content if isinstance(content, str) else None


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _to_usage(piece: AIMessageChunk) -> Usage | None:
    usage = piece.usage_metadata
    if usage is None:
        return None
    return Usage(
        input_tokens=usage["input_tokens"],
        output_tokens=usage["output_tokens"],
        total_tokens=usage["total_tokens"],
        cached_tokens=usage.get("input_token_details", {}).get("cache_read") or 0,
    )
