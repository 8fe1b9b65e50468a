"""`llm.chat`: a conversation with a language model, streamed while it is written."""

from contextlib import aclosing
from datetime import timedelta
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from common.errors import TransientError
from common.ports import ChatMessage, ChatRequest, FinishReason, Usage
from common.queue.context import JobContext
from common.queue.definition import QueueName, Retry, job

_MAX_MESSAGES = 500
_MAX_LENGTH = 100_000
_MAX_TOKENS = 1_000_000

ModelName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class LlmChatMessage(ChatMessage):
    """One turn of the conversation."""

    content: str = Field(min_length=1, max_length=_MAX_LENGTH)


class LlmChatPayload(BaseModel):
    """The conversation so far, as `messages` or, for a single question, as `prompt`."""

    model_config = ConfigDict(extra="forbid")

    messages: list[LlmChatMessage] | None = Field(
        None, min_length=1, max_length=_MAX_MESSAGES, examples=[[{"role": "user", "content": "What is a queue?"}]]
    )
    prompt: str | None = Field(
        None, min_length=1, max_length=_MAX_LENGTH, description="Short for one message of the user."
    )
    model: ModelName | None = Field(None, description="Left out: the worker's default model.")
    temperature: float | None = Field(
        None, ge=0, le=2, description="Ignored by models that only know their own, such as gpt-5."
    )
    max_tokens: int | None = Field(None, ge=1, le=_MAX_TOKENS, description="Most tokens to answer with.")
    stream: bool = Field(True, description="Send the answer as `llm.delta` events while it is written.")

    @model_validator(mode="after")
    def _one_way_to_ask(self) -> Self:
        if (self.messages is None) == (self.prompt is None):
            raise ValueError("give either messages or prompt, and not both")
        return self

    def conversation(self) -> list[ChatMessage]:
        """The messages, whichever way they were given."""
        if self.prompt is not None:
            return [ChatMessage(role="user", content=self.prompt)]
        return list(self.messages or ())


class LlmChatResult(BaseModel):
    """The whole answer. `text` equals the joined `llm.delta` events since the last `llm.reset`."""

    text: str
    finish_reason: FinishReason
    usage: Usage | None
    model: str


@job("llm.chat", queue=QueueName.LLM, timeout=timedelta(minutes=10), retry=Retry(max_attempts=4))
async def llm_chat(ctx: JobContext, payload: LlmChatPayload) -> LlmChatResult:
    """Ask a language model and return its answer, telling it piece by piece while it comes."""
    request = ChatRequest(
        messages=payload.conversation(),
        model=payload.model,
        temperature=payload.temperature,
        max_tokens=payload.max_tokens,
        stream=payload.stream,
    )
    if payload.stream and ctx.attempt > 1:
        await ctx.emit("llm.reset", {"attempt": ctx.attempt})
    pieces: list[str] = []
    model, finish_reason, usage = None, None, None
    async with aclosing(ctx.ports.chat.stream(request)) as chunks:
        async for chunk in chunks:
            if chunk.text:
                pieces.append(chunk.text)
                if payload.stream:
                    await ctx.delta(chunk.text)
            model = chunk.model or model
            finish_reason = chunk.finish_reason or finish_reason
            usage = chunk.usage or usage
    if finish_reason is None:
        raise TransientError("the answer ended without a finish reason")
    return LlmChatResult(text="".join(pieces), finish_reason=finish_reason, usage=usage, model=model or "")
