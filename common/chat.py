"""Conversations as users write them, in the form of OpenAI's API, and as ports take them."""

from collections.abc import Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, model_validator

from common.errors import TransientError
from common.ports import ChatMessage, ChatModel, ChatRequest, FinishReason, Role, ToolCall, ToolSpec, Usage

_MAX_MESSAGES = 500
_MAX_LENGTH = 100_000
_MAX_TOKENS = 1_000_000

ModelName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
FunctionName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


def _no_parameters() -> dict[str, JsonValue]:
    return {"type": "object", "properties": {}}


class FunctionCall(_Strict):
    """Which function the model wants to call; `arguments` is the JSON text as the model wrote it."""

    name: str = Field(min_length=1, max_length=200)
    arguments: str


class ChatToolCall(_Strict):
    """A call that the model asks for. Answer it with a message of role `tool` and its id."""

    id: str = Field(min_length=1, max_length=200)
    type: Literal["function"] = "function"
    function: FunctionCall

    @classmethod
    def of(cls, call: ToolCall) -> Self:
        """What a model asked for."""
        return cls(id=call.id, function=FunctionCall(name=call.name, arguments=call.arguments))


class FunctionDefinition(_Strict):
    """A function of yours; `parameters` is the JSON schema of its arguments."""

    name: FunctionName
    description: str = Field("", max_length=10_000)
    parameters: dict[str, JsonValue] = Field(default_factory=_no_parameters)
    strict: bool | None = None


class ChatTool(_Strict):
    """Something that the model may call."""

    type: Literal["function"] = "function"
    function: FunctionDefinition

    def to_port(self) -> ToolSpec:
        """The tool as ports take it."""
        function = self.function
        return ToolSpec(function.name, function.description, function.parameters, function.strict)


class ChosenFunction(_Strict):
    """The name of a tool."""

    name: FunctionName


class ChosenTool(_Strict):
    """The one tool that the model must call."""

    type: Literal["function"] = "function"
    function: ChosenFunction


class AnswerSchema(_Strict):
    """What the answer has to look like."""

    name: FunctionName = "answer"
    description: str | None = Field(None, max_length=10_000)
    schema_: dict[str, JsonValue] = Field(alias="schema")
    strict: bool | None = None

    model_config = ConfigDict(extra="forbid", validate_by_name=True, validate_by_alias=True, serialize_by_alias=True)


class AnswerFormat(_Strict):
    """`text`, any JSON object, or JSON that follows a schema."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: AnswerSchema | None = None

    @model_validator(mode="after")
    def _schema_belongs(self) -> Self:
        if (self.type == "json_schema") != (self.json_schema is not None):
            raise ValueError("give json_schema with the type json_schema, and only then")
        return self


class ConversationMessage(_Strict):
    """One turn of a conversation. A turn of the assistant may be nothing but `tool_calls`."""

    role: Role
    content: str | None = Field(None, min_length=1, max_length=_MAX_LENGTH)
    tool_calls: list[ChatToolCall] | None = Field(None, min_length=1, max_length=128)
    tool_call_id: str | None = Field(
        None, min_length=1, max_length=200, description="Of role `tool`: the call that this answers."
    )

    @model_validator(mode="before")
    @classmethod
    def _nothing_said_to_a_tool(cls, value: Any) -> Any:
        # A tool may well find nothing; everybody else says something or is left out.
        if isinstance(value, dict) and value.get("role") == "tool" and value.get("content") == "":
            return {**value, "content": None}
        return value

    @model_validator(mode="after")
    def _fits_its_role(self) -> Self:
        if self.tool_calls and self.role != "assistant":
            raise ValueError("only the assistant calls tools")
        if (self.role == "tool") != (self.tool_call_id is not None):
            raise ValueError("role tool and tool_call_id go together")
        if self.content is None and not self.tool_calls and self.role != "tool":
            raise ValueError("content is missing")
        return self

    def to_port(self) -> ChatMessage:
        """The message as ports take it."""
        calls = [
            ToolCall(id=call.id, name=call.function.name, arguments=call.function.arguments)
            for call in self.tool_calls or ()
        ]
        content, answers = self.content or "", self.tool_call_id
        return ChatMessage(role=self.role, content=content, tool_calls=tuple(calls), tool_call_id=answers)


class Question(_Strict):
    """A conversation that a model goes on with: `messages`, or `prompt` for a single question."""

    messages: list[ConversationMessage] | None = Field(
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

    @model_validator(mode="after")
    def _one_way_to_ask(self) -> Self:
        if (self.messages is None) == (self.prompt is None):
            raise ValueError("give either messages or prompt, and not both")
        check_answers(self.messages or ())
        return self

    def conversation(self) -> list[ChatMessage]:
        """The messages, whichever way they were given."""
        if self.prompt is not None:
            return [ChatMessage(role="user", content=self.prompt)]
        return [message.to_port() for message in self.messages or ()]


@dataclass(frozen=True, slots=True)
class WholeAnswer:
    """What a model said, all of it; `is_replayed` when an earlier attempt of the job had asked."""

    text: str
    finish_reason: FinishReason
    model: str
    usage: Usage | None
    is_replayed: bool = False


async def ask(chat: ChatModel, request: ChatRequest) -> WholeAnswer:
    """The answer to a request once it is whole. Raises as `ChatModel.stream` does."""
    pieces: list[str] = []
    model, reason, usage, is_replayed = "", None, None, False
    async with aclosing(chat.stream(request)) as chunks:
        async for chunk in chunks:
            pieces.append(chunk.text)
            is_replayed = is_replayed or chunk.is_replayed
            model = chunk.model or model
            reason = chunk.finish_reason or reason
            usage = chunk.usage or usage
    if reason is None:
        raise TransientError("the answer ended without a finish reason")
    return WholeAnswer("".join(pieces), reason, model, usage, is_replayed)


def add_usage(first: Usage | None, second: Usage | None) -> Usage | None:
    """Both together; None where nobody counted."""
    if first is None or second is None:
        return first or second
    return Usage(**{name: getattr(first, name) + getattr(second, name) for name in Usage.model_fields})


def check_answers(messages: Iterable[ConversationMessage]) -> None:
    """Raises `ValueError` for an answer of a tool that nobody called before."""
    called: set[str] = set()
    for message in messages:
        called |= {call.id for call in message.tool_calls or ()}
        if message.tool_call_id is not None and message.tool_call_id not in called:
            raise ValueError(f"tool_call_id {message.tool_call_id!r} answers no tool call before it")


def check_choice(choice: str | ChosenTool | None, tools: Sequence[ChatTool]) -> None:
    """Raises `ValueError` for tools of one name, and for a choice among tools that are not there."""
    names = [tool.function.name for tool in tools]
    if len(set(names)) < len(names):
        raise ValueError("two tools have the same name")
    if choice is not None and not tools:
        raise ValueError("tool_choice needs tools")
    if isinstance(choice, ChosenTool) and choice.function.name not in names:
        raise ValueError(f"tool_choice names {choice.function.name!r}, which is not among the tools")
