"""A whole answer of a model: gathered from its pieces, kept as JSON, told again."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import TypeAdapter

from common.ports import ChatChunk, FinishReason, ToolCall, Usage

_CALLS: TypeAdapter[tuple[ToolCall, ...]] = TypeAdapter(tuple[ToolCall, ...])


@dataclass(slots=True)
class Answer:
    """What came so far. It is whole when it has a finish reason."""

    pieces: list[str] = field(default_factory=list)
    model: str | None = None
    finish_reason: FinishReason | None = None
    usage: Usage | None = None
    tool_calls: tuple[ToolCall, ...] = ()

    @property
    def text(self) -> str:
        """What was said."""
        return "".join(self.pieces)

    def add(self, chunk: ChatChunk) -> None:
        """Take the next piece in."""
        if chunk.text:
            self.pieces.append(chunk.text)
        if chunk.is_text_only:
            return
        self.model = chunk.model or self.model
        self.finish_reason = chunk.finish_reason or self.finish_reason
        self.usage = chunk.usage or self.usage
        self.tool_calls = chunk.tool_calls or self.tool_calls

    def as_json(self) -> dict[str, Any]:
        """What is kept."""
        return {
            "text": self.text,
            "model": self.model,
            "finish_reason": self.finish_reason,
            "usage": None if self.usage is None else self.usage.model_dump(),
            "tool_calls": [call.model_dump() for call in self.tool_calls],
        }

    @classmethod
    def of(cls, kept: dict[str, Any]) -> "Answer":
        """What `as_json` kept."""
        return cls(
            pieces=[kept["text"]] if kept["text"] else [],
            model=kept["model"],
            finish_reason=kept["finish_reason"],
            usage=None if kept["usage"] is None else Usage.model_validate(kept["usage"]),
            tool_calls=_CALLS.validate_python(kept["tool_calls"]),
        )

    def last_chunk(self) -> ChatChunk:
        """Everything but the text, once the answer is whole."""
        return ChatChunk(
            model=self.model, finish_reason=self.finish_reason, usage=self.usage, tool_calls=self.tool_calls
        )

    def retold(self, *, is_cached: bool = False) -> Iterator[ChatChunk]:
        """The answer again, its text in one piece: from the cache, or from an earlier attempt."""
        if self.pieces:
            yield ChatChunk(self.text)
        yield replace(self.last_chunk(), is_cached=is_cached, is_replayed=not is_cached)
