"""What a job handler may ask for. `worker/` implements these; tests fake them; nothing else is faked."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

Role = Literal["system", "user", "assistant"]
FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]


class ChatMessage(BaseModel):
    """One turn of a conversation."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    role: Role
    content: str = Field(min_length=1)


class Usage(BaseModel):
    """Tokens that a call consumed, as the provider counted them."""

    input_tokens: int = Field(0, ge=0)
    output_tokens: int = Field(0, ge=0)
    total_tokens: int = Field(0, ge=0)


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One call to a chat model; `model=None` means the default one."""

    messages: Sequence[ChatMessage]
    model: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    stream: bool = True


@dataclass(frozen=True, slots=True)
class ChatChunk:
    """A piece of an answer. The last piece carries `finish_reason`; `usage` comes with it or after it."""

    text: str = ""
    model: str | None = None
    finish_reason: FinishReason | None = None
    usage: Usage | None = None


class ChatModel(Protocol):
    """A conversation model."""

    def stream(self, request: ChatRequest) -> AsyncGenerator[ChatChunk, None]:
        """The answer in pieces.

        Raises `TransientError` (worth another attempt, also when the stream ends without a finish reason) or
        `PermanentError` (a request the provider refuses). Closing the generator (`contextlib.aclosing`) stops the call.
        """
        ...


class Ports(Protocol):
    """Everything a handler reaches beyond its payload; each is built at first use."""

    @property
    def chat(self) -> ChatModel: ...
