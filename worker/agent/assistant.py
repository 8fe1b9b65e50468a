"""What flows share: messages between langchain and the ports, passages as prompts show them, citations."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

from common.agents import Citation
from common.documents.quoting import cited_numbers, quote_passage
from common.ports import ChatMessage, Passage, Role, ToolCall

_ROLES: dict[str, Role] = {"human": "user", "ai": "assistant", "system": "system", "tool": "tool"}


def to_chat_message(message: BaseMessage) -> ChatMessage:
    """A langchain message as the chat port takes it."""
    calls = message.tool_calls if isinstance(message, AIMessage) else []
    return ChatMessage(
        role=role_of(message),
        content=message.text,
        tool_calls=tuple(
            ToolCall(id=call["id"] or call["name"], name=call["name"], arguments=json.dumps(call["args"]))
            for call in calls
        ),
        tool_call_id=message.tool_call_id if isinstance(message, ToolMessage) else None,
    )


def role_of(message: BaseMessage) -> Role:
    """Who speaks."""
    return _ROLES.get(message.type.removesuffix("MessageChunk").lower(), "user")


def last_question(messages: Sequence[BaseMessage]) -> str:
    """What the user said last."""
    return next((message.text for message in reversed(messages) if isinstance(message, HumanMessage)), "")


def show_passages(passages: Sequence[Mapping[str, Any]], room: int | None = None) -> str:
    """Numbered, as a prompt holds them; with `room`, not longer than so many characters together."""
    if not passages:
        return "(no passages were found)"
    each = None if room is None else max(room // len(passages), 1)
    return "\n\n".join(
        quote_passage(number, f"{passage['document_name']}{_place(passage)}", passage["text"][:each])
        for number, passage in enumerate(passages, 1)
    )


def recent(messages: Sequence[BaseMessage], room: int) -> list[BaseMessage]:
    """The last messages that have so many characters together, at least the very last."""
    kept: list[BaseMessage] = []
    for message in reversed(messages):
        room -= len(message.text)
        if kept and room < 0:
            break
        kept.append(message)
    return kept[::-1]


def keep_passage(passage: Passage) -> dict[str, Any]:
    """A passage as plain values, which a checkpoint can hold."""
    return {**asdict(passage), "document_id": str(passage.document_id), "metadata": dict(passage.metadata)}


def cite(answer: str, passages: Sequence[Mapping[str, Any]]) -> list[Citation]:
    """The passages that an answer names by number, in that order; all that it was given when it names none."""
    wanted = cited_numbers(answer, len(passages))
    return [
        _citation(number, passages[number - 1], is_named=bool(wanted))
        for number in wanted or range(1, len(passages) + 1)
    ]


def _place(passage: Mapping[str, Any]) -> str:
    page = passage["metadata"].get("page")
    return "" if page is None else f", page {page}"


def _citation(number: int, passage: Mapping[str, Any], *, is_named: bool) -> Citation:
    return Citation(
        number=number,
        document_id=UUID(passage["document_id"]),
        document_name=passage["document_name"],
        page=passage["metadata"].get("page"),
        index=passage["index"],
        text=passage["text"],
        score=passage["score"],
        is_named=is_named,
    )


def plain(value: Any) -> Any:
    """Values of a state as JSON and PostgreSQL can hold them; messages as role and content."""
    match value:
        case BaseMessage():
            return {"id": value.id, "role": role_of(value), "content": plain(str(value.text))}
        case Mapping():
            return {str(name): plain(each) for name, each in value.items()}
        case list() | tuple():
            return [plain(each) for each in value]
        case int() | float() | bool() | None:
            return value
        case _:
            return str(value).replace("\x00", "")
