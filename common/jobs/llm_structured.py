"""`llm.structured`: an answer of a language model as data that follows a JSON schema."""

import json
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any, Self

from pydantic import BaseModel, Field, JsonValue, model_validator

from common.chat import FunctionName, Question, WholeAnswer, add_usage, ask
from common.errors import PermanentError
from common.json_schema import check_schema, find_problems
from common.ports import ChatMessage, ChatRequest, Usage
from common.queue.context import JobContext
from common.queue.definition import QueueName, Retry, job

_REPAIR = (
    "Your answer does not follow the JSON schema ({problems}). Answer again, with nothing but JSON that follows it."
)
_EXAMPLE = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


class LlmStructuredPayload(Question):
    """A question, and the JSON schema that the answer has to follow."""

    json_schema: dict[str, JsonValue] = Field(
        description="A JSON schema (2020-12) without references to elsewhere and without patternProperties.",
        examples=[_EXAMPLE],
    )
    schema_name: FunctionName = Field("answer", description="What the schema is called towards the model.")
    strict: bool | None = Field(None, description="Ask the provider to enforce the schema, where it can.")
    max_repairs: int = Field(
        2, ge=0, le=5, description="How often the model is told what is wrong with its answer and asked again."
    )

    @model_validator(mode="after")
    def _schema_can_be_used(self) -> Self:
        check_schema(self.json_schema)
        return self

    def request(self) -> ChatRequest:
        """What to ask the model first."""
        return ChatRequest(
            messages=self.conversation(),
            model=self.model,
            temperature=self.temperature,
            max_tokens=self.max_tokens,
            stream=False,
            response_schema=self.json_schema,
            response_name=self.schema_name,
            response_strict=self.strict,
        )


class LlmStructuredResult(BaseModel):
    """`value` follows the schema. `answers` is how many it took; `usage` is theirs together."""

    value: JsonValue
    answers: int
    usage: Usage | None
    model: str


class _UnusableError(Exception):
    """A series of answers came to nothing. `is_old`: an earlier attempt had got all of them, and failed."""

    def __init__(self, message: str, *, is_old: bool) -> None:
        super().__init__(message)
        self.is_old = is_old


@job("llm.structured", queue=QueueName.LLM, timeout=timedelta(minutes=10), retry=Retry(max_attempts=4))
async def llm_structured(ctx: JobContext, payload: LlmStructuredPayload) -> LlmStructuredResult:
    """Ask a language model for data that follows a JSON schema; an answer that does not is sent back."""
    for series in count():
        try:
            return await _ask(ctx, payload, series)
        except _UnusableError as error:
            # Whoever retries a job that failed so wants other answers, not those of then.
            if not error.is_old:
                raise PermanentError(str(error)) from None
    raise AssertionError


async def _ask(ctx: JobContext, payload: LlmStructuredPayload, series: int) -> LlmStructuredResult:
    """The first answer that follows. Raises `_UnusableError` when none does."""
    request = replace(payload.request(), may_cache=False if series else None)
    prefix = f"series:{series}:" if series else ""
    usage: Usage | None = None
    for number in range(1, payload.max_repairs + 2):
        answer = await ask(ctx.ports.chat, replace(request, step=f"{prefix}answer:{number}"))
        usage = add_usage(usage, answer.usage)
        value, problems = _read(payload, answer)
        if not problems:
            return LlmStructuredResult(value=value, answers=number, usage=usage, model=answer.model)
        told = ChatMessage(role="user", content=_REPAIR.format(problems="; ".join(problems)))
        said = ChatMessage(role="assistant", content=answer.text or "(nothing)")
        request = replace(request, messages=[*payload.conversation(), said, told])
    message = f"no answer of {payload.max_repairs + 1} follows the schema; the last one: {'; '.join(problems)}"
    raise _UnusableError(message, is_old=answer.is_replayed)


def _read(payload: LlmStructuredPayload, answer: WholeAnswer) -> tuple[Any, list[str]]:
    """The value and what is wrong with it. Raises `_UnusableError` where another answer would end the same way."""
    if answer.finish_reason == "content_filter":
        raise _UnusableError("the provider's filter stopped the answer", is_old=answer.is_replayed)
    try:
        value = json.loads(_unfenced(answer.text), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        if answer.finish_reason == "length":
            message = "the answer was cut off before its JSON was whole; raise max_tokens"
            raise _UnusableError(message, is_old=answer.is_replayed) from None
        return None, ["it is not JSON"]
    try:
        return value, find_problems(payload.json_schema, value)
    except ValueError as error:
        raise PermanentError(f"json_schema cannot be used: {error}") from None


def _unfenced(text: str) -> str:
    """`text` without the fence of Markdown that many models put around JSON."""
    text = text.strip()
    if text.startswith("```") and text.endswith("```"):
        return text.removeprefix("```").removesuffix("```").removeprefix("json")
    return text


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
