"""`llm.chat`: what it accepts, what it tells while it runs and what it returns. Only the model is faked."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from common.agents import Agents
from common.documents.ports import DocumentStore
from common.errors import TransientError
from common.ids import new_id
from common.jobs.llm_chat import LlmChatPayload, llm_chat
from common.ports import (
    ChatChunk,
    ChatMessage,
    ChatRequest,
    EmbeddingModel,
    Journal,
    Mailer,
    Retriever,
    ToolCall,
    ToolSpec,
    Usage,
    WebhookSender,
)
from common.queue.context import JobContext

CALL = {"id": "c1", "function": {"name": "add", "arguments": '{"a": 2}'}}
TOOL = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}
USAGE = Usage(input_tokens=3, output_tokens=2, total_tokens=5)
ANSWER = (ChatChunk("Hel"), ChatChunk(""), ChatChunk("lo 안녕"), ChatChunk(model="m", finish_reason="length"))


@dataclass
class Chat:
    """A model that says what it is told to, or breaks off with an error."""

    chunks: Sequence[ChatChunk] = (*ANSWER, ChatChunk(usage=USAGE))
    error: Exception | None = None
    requests: list[ChatRequest] = field(default_factory=list)
    is_closed: bool = False

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ChatChunk, None]:
        self.requests.append(request)
        try:
            for chunk in self.chunks:
                yield chunk
            if self.error:
                raise self.error
        finally:
            self.is_closed = True


@dataclass(frozen=True)
class Ports:
    chat: Chat

    @property
    def embeddings(self) -> EmbeddingModel:
        raise AssertionError("a chat makes no vectors")

    @property
    def retriever(self) -> Retriever:
        raise AssertionError("a chat looks nothing up")

    @property
    def documents(self) -> DocumentStore:
        raise AssertionError("a chat changes no documents")

    @property
    def mail(self) -> Mailer:
        raise AssertionError("a chat sends no mails")

    @property
    def webhooks(self) -> WebhookSender:
        raise AssertionError("a chat calls no webhooks")

    @property
    def journal(self) -> Journal:
        raise AssertionError("a chat leaves the books to its port")

    @property
    def agents(self) -> Agents:
        raise AssertionError("a chat runs no agents")


@dataclass
class Events:
    """Keeps what the handler tells."""

    told: list[tuple[str, Any]] = field(default_factory=list)
    failing: bool = False

    async def emit(self, event_type: str, data: Mapping[str, Any]) -> None:
        self.told.append((event_type, dict(data)))

    async def delta(self, text: str) -> None:
        if self.failing:
            raise ConnectionError
        self.told.append(("llm.delta", text))

    async def progress(self, fraction: float, message: str | None) -> None:
        raise AssertionError("a chat has no progress to report")


def context(chat: Chat, events: Events, *, attempt: int = 1) -> JobContext:
    return JobContext(
        job_id=new_id(),
        kind="llm.chat",
        attempt=attempt,
        tenant_id=new_id(),
        owner_id=new_id(),
        deadline=datetime.now(UTC) + timedelta(minutes=1),
        ports=Ports(chat),
        events=events,
    )


async def test_the_answer_is_streamed_and_returned() -> None:
    chat, events = Chat(), Events()
    result = await llm_chat(context(chat, events), LlmChatPayload(prompt="Hi", model=" gpt-5 ", max_tokens=2))
    assert result.model_dump() == {
        "text": "Hello 안녕",
        "finish_reason": "length",
        "usage": USAGE.model_dump(),
        "model": "m",
        "tool_calls": [],
        "cached": False,
    }
    assert events.told == [("llm.delta", "Hel"), ("llm.delta", "lo 안녕")]
    assert chat.requests == [ChatRequest([ChatMessage(role="user", content="Hi")], model="gpt-5", max_tokens=2)]
    assert chat.is_closed


async def test_without_streaming_nothing_is_told() -> None:
    chat, events = Chat(), Events()
    messages = [{"role": "system", "content": "Be brief"}, {"role": "user", "content": "Hi"}]
    payload = LlmChatPayload.model_validate({"messages": messages, "stream": False})
    result = await llm_chat(context(chat, events, attempt=2), payload)
    assert result.text == "Hello 안녕"
    assert events.told == []
    assert [message.model_dump(exclude_defaults=True) for message in chat.requests[0].messages] == messages
    assert chat.requests[0].stream is False


async def test_tools_a_schema_and_options_are_passed_and_calls_returned() -> None:
    asked = ToolCall(id="c2", name="add", arguments='{"a": 3}')
    chat = Chat([ChatChunk(model="m", finish_reason="tool_calls", tool_calls=(asked,), is_cached=True)])
    form = {"type": "json_schema", "json_schema": {"name": "sum", "schema": {"type": "object"}, "strict": True}}
    said = [
        {"role": "user", "content": "2 and 3?"},
        {"role": "assistant", "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "c1", "content": ""},
    ]
    choice = {"type": "function", "function": {"name": "add"}}
    values = {"messages": said, "tools": [TOOL], "tool_choice": choice, "response_format": form, "seed": 1}
    payload = LlmChatPayload.model_validate(LlmChatPayload.model_validate(values).model_dump(mode="json"))
    result = await llm_chat(context(chat, Events()), payload)
    [request] = chat.requests
    assert [message.role for message in request.messages] == ["user", "assistant", "tool"]
    assert request.messages[1].tool_calls == (ToolCall(id="c1", name="add", arguments='{"a": 2}'),)
    assert request.tools == (ToolSpec("add", "", {"type": "object"}),)
    assert (request.tool_choice, request.response_schema, request.response_name) == ("add", {"type": "object"}, "sum")
    assert (request.response_strict, request.options) == (True, {"seed": 1})
    assert result.model_dump()["tool_calls"] == [
        {"id": "c2", "type": "function", "function": {"name": "add", "arguments": '{"a": 3}'}}
    ]
    assert (result.text, result.finish_reason, result.cached) == ("", "tool_calls", True)


async def test_another_attempt_starts_the_text_anew() -> None:
    events = Events()
    await llm_chat(context(Chat(), events, attempt=3), LlmChatPayload(prompt="Hi"))
    assert events.told[0] == ("llm.reset", {"attempt": 3})
    assert "".join(data for name, data in events.told if name == "llm.delta") == "Hello 안녕"


async def test_an_answer_that_was_cut_off_is_no_result() -> None:
    with pytest.raises(TransientError, match="finish reason"):
        await llm_chat(context(Chat(chunks=[ChatChunk("Hel")]), Events()), LlmChatPayload(prompt="Hi"))
    with pytest.raises(TransientError, match="gone"):
        await llm_chat(context(Chat(error=TransientError("gone")), Events()), LlmChatPayload(prompt="Hi"))


async def test_the_model_is_stopped_when_the_handler_fails() -> None:
    chat = Chat()
    with pytest.raises(ConnectionError):
        await llm_chat(context(chat, Events(failing=True)), LlmChatPayload(prompt="Hi"))
    assert chat.is_closed


@pytest.mark.parametrize(
    ("payload", "path", "said"),
    [
        ({}, (), "either messages or prompt"),
        ({"prompt": "a", "messages": [{"role": "user", "content": "a"}]}, (), "not both"),
        ({"messages": []}, ("messages",), "at least 1 item"),
        ({"messages": [{"role": "user", "content": "a"}] * 501}, ("messages",), "at most 500 items"),
        ({"messages": [{"role": "user", "content": ""}]}, ("messages", 0, "content"), "at least 1 character"),
        (
            {"messages": [{"role": "robot", "content": "a"}]},
            ("messages", 0, "role"),
            "'system', 'user', 'assistant' or 'tool'",
        ),
        ({"messages": [{"role": "user", "content": "a", "x": 1}]}, ("messages", 0, "x"), "not permitted"),
        ({"prompt": ""}, ("prompt",), "at least 1 character"),
        ({"prompt": "a" * 100_001}, ("prompt",), "at most 100000 characters"),
        ({"prompt": "a", "temprature": 1}, ("temprature",), "not permitted"),
        ({"prompt": "a", "temperature": 2.1}, ("temperature",), "less than or equal to 2"),
        ({"prompt": "a", "temperature": "nan"}, ("temperature",), ""),
        ({"prompt": "a", "max_tokens": 0}, ("max_tokens",), "greater than or equal to 1"),
        ({"prompt": "a", "model": " "}, ("model",), "at least 1 character"),
        ({"messages": [{"role": "user"}]}, ("messages", 0), "content is missing"),
        ({"messages": [{"role": "user", "content": "a", "tool_calls": [CALL]}]}, ("messages", 0), "only the assistant"),
        ({"messages": [{"role": "tool", "content": "4"}]}, ("messages", 0), "tool_call_id go together"),
        ({"messages": [{"role": "tool", "content": "4", "tool_call_id": "c1"}]}, (), "answers no tool call before it"),
        ({"prompt": "a", "tools": [TOOL, TOOL]}, (), "two tools have the same name"),
        ({"prompt": "a", "tool_choice": "required"}, (), "tool_choice needs tools"),
        ({"prompt": "a", "tools": [{"function": {"name": "a b"}}]}, ("tools", 0, "function", "name"), "pattern"),
        (
            {"prompt": "a", "tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "sub"}}},
            (),
            "not among the tools",
        ),
        ({"prompt": "a", "response_format": {"type": "json_schema"}}, ("response_format",), "give json_schema with"),
        ({"prompt": "a", "stop": []}, ("stop",), "at least 1 item"),
    ],
)
def test_a_wrong_payload_is_refused_with_its_path(payload: object, path: tuple[str | int, ...], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        LlmChatPayload.model_validate(payload)
    (error,) = caught.value.errors()
    assert error["loc"] == path
    assert said in error["msg"]
