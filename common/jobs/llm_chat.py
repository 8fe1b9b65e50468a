"""`llm.chat`: a conversation with a language model, streamed while it is written."""

from contextlib import aclosing
from datetime import timedelta
from typing import Any, Literal, Self

from pydantic import BaseModel, Field, model_validator

from common.chat import AnswerFormat, ChatTool, ChatToolCall, ChosenTool, Question, check_choice
from common.errors import TransientError
from common.ports import ChatRequest, FinishReason, Usage
from common.queue.context import JobContext
from common.queue.definition import QueueName, Retry, job

_OPTIONS = ("top_p", "stop", "seed", "parallel_tool_calls", "reasoning_effort")


class LlmChatPayload(Question):
    """The conversation so far, as `messages` or, for a single question, as `prompt`."""

    stream: bool = Field(True, description="Send the answer as `llm.delta` events while it is written.")
    tools: list[ChatTool] = Field(default_factory=list, max_length=128, description="What the model may call.")
    tool_choice: Literal["auto", "none", "required"] | ChosenTool | None = Field(
        None, description="Whether it must, and what; left out it decides itself."
    )
    response_format: AnswerFormat | None = Field(None, description="JSON, also by a schema; the model must know how.")
    top_p: float | None = Field(None, gt=0, le=1)
    stop: list[str] | None = Field(None, min_length=1, max_length=4, description="Texts that end the answer.")
    seed: int | None = Field(None, ge=-(2**53), le=2**53)
    parallel_tool_calls: bool | None = None
    reasoning_effort: Literal["minimal", "low", "medium", "high"] | None = None
    cache: bool | None = Field(
        None,
        description="Whether an equal earlier answer will do, where LLM_CACHE_LIFETIME allows it. "
        "Left out: with temperature 0 only.",
    )

    @model_validator(mode="after")
    def _tools_can_be_chosen(self) -> Self:
        check_choice(self.tool_choice, self.tools)
        return self

    def request(self) -> ChatRequest:
        """What to ask the model."""
        choice = self.tool_choice
        form = self.response_format
        schema = form.json_schema if form else None
        options: dict[str, Any] = {name: getattr(self, name) for name in _OPTIONS}
        return ChatRequest(
            messages=self.conversation(),
            model=self.model,
            temperature=self.temperature,
            max_tokens=self.max_tokens,
            stream=self.stream,
            tools=tuple(tool.to_port() for tool in self.tools),
            tool_choice=choice.function.name if isinstance(choice, ChosenTool) else choice,
            response_schema=schema.schema_ if schema else None,
            response_name=schema.name if schema else "answer",
            response_strict=schema.strict if schema else None,
            is_json=form is not None and form.type == "json_object",
            options={name: value for name, value in options.items() if value is not None},
            may_cache=self.cache,
        )


class LlmChatResult(BaseModel):
    """The whole answer. `text` equals the joined `llm.delta` events since the last `llm.reset`."""

    text: str
    finish_reason: FinishReason
    usage: Usage | None
    model: str
    tool_calls: list[ChatToolCall] = Field(default_factory=list)
    cached: bool = Field(False, description="An equal answer was at hand; its tokens were not paid again.")


@job("llm.chat", queue=QueueName.LLM, timeout=timedelta(minutes=10), retry=Retry(max_attempts=4))
async def llm_chat(ctx: JobContext, payload: LlmChatPayload) -> LlmChatResult:
    """Ask a language model and return its answer, telling it piece by piece while it comes."""
    if payload.stream and ctx.attempt > 1:
        await ctx.emit("llm.reset", {"attempt": ctx.attempt})
    pieces: list[str] = []
    found: dict[str, Any] = {}
    async with aclosing(ctx.ports.chat.stream(payload.request())) as chunks:
        async for chunk in chunks:
            if chunk.text:
                pieces.append(chunk.text)
                if payload.stream:
                    await ctx.delta(chunk.text)
            if chunk.is_text_only:
                continue
            said = {"model": chunk.model, "finish_reason": chunk.finish_reason, "usage": chunk.usage}
            found |= {name: value for name, value in said.items() if value is not None}
            if chunk.tool_calls:
                found["tool_calls"] = [ChatToolCall.of(call) for call in chunk.tool_calls]
            found["cached"] = found.get("cached", False) or chunk.is_cached
    if "finish_reason" not in found:
        raise TransientError("the answer ended without a finish reason")
    return LlmChatResult(**{"text": "".join(pieces), "usage": None, "model": "", **found})
