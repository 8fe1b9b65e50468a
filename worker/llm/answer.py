"""The pieces of a streamed answer, as they come from langchain, turned into ours."""

import json
from dataclasses import dataclass

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
    """Gathers the parts of tool calls until the answer's end; everything else passes through."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._calls: dict[int, _CallSoFar] = {}

    def read(self, piece: AIMessageChunk) -> ChatChunk:
        """The piece in our words. Raises `ValueError` for a tool call without an id or a name."""
        for part in piece.tool_call_chunks:
            call = self._calls.setdefault(part["index"] or 0, _CallSoFar())
            call.id = part["id"] or call.id
            call.name += part["name"] or ""
            call.arguments += part["args"] or ""
        told = piece.response_metadata
        reason = told.get("finish_reason")
        finish = _FINISH_REASONS.get(reason, "stop") if reason else None
        calls = self._whole_calls(is_cut=finish in ("length", "content_filter")) if finish else ()
        return ChatChunk(
            text=storable(piece.text),
            model=told.get("model_name") or (self._model if reason else None),
            finish_reason="tool_calls" if calls and finish == "stop" else finish,
            usage=_to_usage(piece),
            tool_calls=calls,
        )

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
    return text.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")


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
