"""A chat request as langchain and the provider want it."""

from collections.abc import Mapping
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, InvalidToolCall, SystemMessage, ToolMessage

from common.ports import ChatMessage, ChatRequest, ToolSpec
from worker.llm.card import ModelCard

_CHOICES = frozenset({"auto", "none", "required"})


def to_messages(request: ChatRequest) -> list[BaseMessage]:
    """The conversation in langchain's words."""
    return [_to_message(message) for message in request.messages]


def to_options(request: ChatRequest, card: ModelCard, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The parameters of a call, beside the messages.

    The answer's format goes past langchain, which would otherwise judge the answer before we can.
    """
    options: dict[str, Any] = {}
    if request.temperature is not None and card.takes_temperature:
        options["temperature"] = request.temperature
    if request.max_tokens is not None:
        options["max_tokens"] = request.max_tokens
    if request.tools:
        options["tools"] = [_to_tool(tool) for tool in request.tools]
    if request.tool_choice is not None:
        options["tool_choice"] = _to_choice(request.tool_choice)
    extra = dict(request.options)
    if (form := _answer_format(request)) is not None:
        extra["response_format"] = form
    if extra:
        options["extra_body"] = extra
    if headers:
        options["extra_headers"] = headers
    return options


def _to_message(message: ChatMessage) -> BaseMessage:
    match message.role:
        case "system":
            return SystemMessage(message.content)
        case "tool":
            return ToolMessage(message.content, tool_call_id=message.tool_call_id or "")
        case "assistant":
            # As "invalid" calls, whose arguments langchain leaves as the model wrote them.
            calls = [
                InvalidToolCall(type="invalid_tool_call", id=call.id, name=call.name, args=call.arguments, error=None)
                for call in message.tool_calls
            ]
            return AIMessage(message.content, invalid_tool_calls=calls)
        case _:
            return HumanMessage(message.content)


def _to_tool(tool: ToolSpec) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name, "parameters": dict(tool.parameters)}
    if tool.description:
        function["description"] = tool.description
    if tool.strict is not None:
        function["strict"] = tool.strict
    return {"type": "function", "function": function}


def _to_choice(choice: str) -> str | dict[str, Any]:
    return choice if choice in _CHOICES else {"type": "function", "function": {"name": choice}}


def _answer_format(request: ChatRequest) -> dict[str, Any] | None:
    if request.response_schema is not None:
        schema: dict[str, Any] = {"name": request.response_name, "schema": dict(request.response_schema)}
        if request.response_strict is not None:
            schema["strict"] = request.response_strict
        return {"type": "json_schema", "json_schema": schema}
    return {"type": "json_object"} if request.is_json else None
