"""The language models, against a real HTTP provider that fails in every way, and against the real local model."""

import asyncio
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from common.errors import PermanentError, TransientError
from common.ports import ChatMessage, ToolCall, ToolSpec, Usage
from tests.fixtures.provider import Provider, Reply, ToolUse
from tests.worker.chat_calls import KEY, PROMPT, Build, ask, collect, text_of


async def test_an_answer_comes_in_pieces_with_reason_usage_and_model(provider: Provider, build: Build) -> None:
    chunks = await collect(build(), ask(temperature=0.5, max_tokens=9))
    assert text_of(chunks) == "Hello, world!"
    assert [chunk.finish_reason for chunk in chunks if chunk.finish_reason] == ["stop"]
    assert [chunk.model for chunk in chunks if chunk.model] == ["gpt-4o-mini"]
    assert [chunk.usage for chunk in chunks if chunk.usage] == [Usage(input_tokens=7, output_tokens=4, total_tokens=11)]
    sent = provider.seen[0]
    assert sent.path == "/v1/chat/completions"
    assert sent.headers["authorization"] == f"Bearer {KEY}"
    assert sent.body["messages"] == [{"role": "user", "content": PROMPT}]
    assert (sent.body["stream"], sent.body["temperature"], sent.body["max_completion_tokens"]) == (True, 0.5, 9)


async def test_each_model_gets_the_parameters_it_knows(provider: Provider, build: Build) -> None:
    manager = build()
    await collect(manager, ask(model="GPT-5", temperature=0.5, max_tokens=9))
    await collect(manager, ask(model="org/Other:1b", temperature=0.5, max_tokens=9))
    gpt5, other = provider.seen[0].body, provider.seen[1].body
    assert (gpt5["model"], gpt5["max_completion_tokens"]) == ("gpt-5", 9)
    assert "temperature" not in gpt5
    assert (other["model"], other["max_tokens"], other["temperature"]) == ("org/Other:1b", 9, 0.5)
    assert "max_completion_tokens" not in other


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(ending="cut"), "without a finish reason"),
        (Reply(ending="drop"), "broke off"),
        (Reply(ending="stall"), "in time"),
        (Reply(pieces=(), ending="stall"), "in time"),
        (Reply(delay=30), "in time"),
        (Reply(ending="malformed"), "cannot be read"),
        (Reply(pieces=(), ending="cut"), "without a finish reason"),
        (Reply(ending="error", error={"message": "overloaded"}), "broke off with an error: overloaded"),
        (Reply(ending="error", error={"message": "busy", "code": 503}), "answered 503"),
        (Reply(status=500, error={"message": "oops"}), "answered 500"),
        (Reply(status=503), "answered 503"),
        (Reply(status=408), "answered 408"),
        (Reply(status=409), "answered 409"),
        (Reply(status=429), "answered 429"),
    ],
)
async def test_what_another_attempt_may_mend(provider: Provider, build: Build, reply: Reply, said: str) -> None:
    provider.script(reply)
    patience = 0.3 if said == "in time" else 30
    with pytest.raises(TransientError, match=said):
        await collect(build(llm_idle_timeout=patience, llm_first_piece_timeout=patience), ask())
    assert len(provider.seen) == 1  # retries belong to the job, not to the library


@pytest.mark.parametrize(
    ("status", "message", "said"),
    [
        (401, f"Incorrect API key provided: {KEY}", "check OPENAI_API_KEY"),
        (403, f"{KEY} is not allowed here", "check OPENAI_API_KEY"),
        (400, f"sk-abcdefgh12345678 and {KEY} want less of '{PROMPT}'", r"\(400\): \*\*\* and \*\*\* want less of"),
        (404, "no such model", r"\(404\): no such model"),
        (422, "x" * 5000, r"\(422\): x{200}$"),
        (307, "elsewhere", r"\(307\)"),
    ],
)
async def test_what_no_attempt_can_mend(provider: Provider, build: Build, status: int, message: str, said: str) -> None:
    provider.script(Reply(status=status, error={"message": message}))
    with pytest.raises(PermanentError, match=said) as caught:
        await collect(build(), ask())
    for secret in (KEY, PROMPT, "sk-abc"):
        assert secret not in caught.value.message


async def test_a_conversation_that_is_too_long_is_permanent(provider: Provider, build: Build) -> None:
    error = {"message": "too many tokens", "code": "context_length_exceeded"}
    provider.script(Reply(status=400, error=error))
    with pytest.raises(PermanentError, match="longer than gpt-4o-mini can read"):
        await collect(build(), ask())


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7),
        ("1.5", 1.5),
        ("-3", 0),
        ("1e9", 86_400),
        ("in an hour", 3600),
        ("soon", None),
        ("nan", None),
    ],
)
async def test_the_provider_names_the_time_to_come_back(
    provider: Provider, build: Build, value: str, seconds: float | None
) -> None:
    if value == "in an hour":
        value = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    provider.script(Reply(status=429, headers={"Retry-After": value}))
    with pytest.raises(TransientError) as caught:
        await collect(build(), ask())
    wait = caught.value.retry_after
    assert (None if wait is None else wait.total_seconds()) == pytest.approx(seconds, abs=60 if seconds == 3600 else 0)


async def test_nobody_listening_is_transient(build: Build, provider: Provider) -> None:
    with pytest.raises(TransientError, match="connection to gpt-4o failed"):
        await collect(build(openai_base_url="http://127.0.0.1:9/v1"), ask(model="gpt-4o"))


async def test_a_filtered_answer_keeps_its_text_and_says_so(provider: Provider, build: Build) -> None:
    provider.script(Reply(finish_reason="content_filter"), Reply(finish_reason="eos", usage=False))
    chunks = await collect(build(), ask())
    assert text_of(chunks) == "Hello, world!"
    assert [c.finish_reason for c in chunks if c.finish_reason] == ["content_filter"]
    unusual = await collect(build(), ask())
    assert [c.finish_reason for c in unusual if c.finish_reason] == ["stop"]
    assert not any(c.usage for c in unusual)


async def test_an_endless_answer_is_stopped(provider: Provider, build: Build) -> None:
    provider.script(Reply(pieces=("한글" * 50,) * 200, ending="stall"))
    with pytest.raises(PermanentError, match=r"LLM_MAX_ANSWER_BYTES \(1024\)"):
        await collect(build(llm_max_answer_bytes=1024), ask())
    async with asyncio.timeout(60):
        await provider.seen[0].gone.wait()


async def test_a_long_answer_arrives_whole(provider: Provider, build: Build) -> None:
    pieces = tuple(f"word{number} " for number in range(5000))
    provider.script(Reply(pieces=pieces))
    assert text_of(await collect(build(), ask())) == "".join(pieces)


async def test_text_that_no_store_takes_is_mended(provider: Provider, build: Build) -> None:
    provider.script(Reply(pieces=("a\0b", "\ud83d", "한글 🙂")))
    assert text_of(await collect(build(), ask())) == "a\ufffdb?한글 🙂"


async def test_a_slow_reader_is_no_slow_model(provider: Provider, build: Build) -> None:
    provider.script(Reply(pace=0.02))
    text = ""
    async for chunk in build(llm_idle_timeout=2).stream(ask()):
        await asyncio.sleep(0 if text else 2.2)
        text += chunk.text
    assert text == "Hello, world!"


async def test_an_answer_is_whole_at_its_finish_even_if_the_connection_stays(
    provider: Provider, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.llm.watch._USAGE_GRACE", timedelta(seconds=0.1))
    provider.script(Reply(ending="held"))
    assert text_of(await collect(build(), ask())) == "Hello, world!"


async def test_closing_the_generator_stops_the_call(provider: Provider, build: Build) -> None:
    provider.script(Reply(pieces=("tick",) * 1000, pace=0.02))
    async with aclosing(build().stream(ask())) as chunks:
        async for chunk in chunks:
            if chunk.text:
                break
    async with asyncio.timeout(60):
        await provider.seen[0].gone.wait()


@pytest.mark.parametrize("reply", [Reply(ending="stall"), Reply(delay=60)])
async def test_cancelling_stops_the_call(provider: Provider, build: Build, reply: Reply) -> None:
    provider.script(reply)
    call = asyncio.create_task(collect(build(), ask()))
    await provider.asked.wait()
    if not reply.delay:
        await provider.seen[0].said.wait()
    call.cancel()
    async with asyncio.timeout(60):
        await provider.seen[0].gone.wait()
    with pytest.raises(asyncio.CancelledError):
        await call


async def test_calls_side_by_side_share_the_pool(provider: Provider, build: Build) -> None:
    manager = build()
    provider.script(*[Reply(pieces=(str(number),), pace=0.05) for number in range(50)])
    answers = await asyncio.gather(*(collect(manager, ask()) for _ in range(50)))
    assert sorted(text_of(answer) for answer in answers) == sorted(str(number) for number in range(50))


async def test_tools_and_schemas_travel_both_ways(provider: Provider, build: Build) -> None:
    arguments = '{"city": "서울",\n "days": 2}'
    provider.script(Reply(pieces=("Let me look.",), tool_calls=(ToolUse("weather", arguments, "call_7"),)), Reply())
    weather = ToolSpec("weather", "Tells the weather.", {"type": "object"}, strict=True)
    chunks = await collect(build(), ask(tools=[weather], tool_choice="weather"))
    asked = ToolCall(id="call_7", name="weather", arguments=arguments)
    assert [(chunk.finish_reason, chunk.tool_calls) for chunk in chunks if chunk.tool_calls] == [
        ("tool_calls", (asked,))
    ]
    assert text_of(chunks) == "Let me look."
    said = [
        ChatMessage(role="user", content=PROMPT),
        ChatMessage(role="assistant", tool_calls=(asked,)),
        ChatMessage(role="tool", tool_call_id="call_7", content="sunny"),
    ]
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    request = ask(messages=said, tools=[weather], response_schema=schema, response_strict=True, options={"seed": 7})
    await collect(build(), request)
    first, second = (seen.body for seen in provider.seen)
    function = {
        "name": "weather",
        "description": "Tells the weather.",
        "parameters": {"type": "object"},
        "strict": True,
    }
    assert first["tools"] == [{"type": "function", "function": function}]
    assert first["tool_choice"] == {"type": "function", "function": {"name": "weather"}}
    assert second["messages"][1]["tool_calls"][0]["function"] == {"name": "weather", "arguments": arguments}
    assert second["messages"][2] == {"role": "tool", "tool_call_id": "call_7", "content": "sunny"}
    assert second["seed"] == 7
    assert second["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": schema, "strict": True},
    }


async def test_calls_of_an_answer_that_was_cut_off_are_whole_or_left_out(provider: Provider, build: Build) -> None:
    cut = (ToolUse("a", '{"b": 1}', "c1"), ToolUse("a", '{"b": ', "c2"))
    provider.script(Reply(pieces=(), tool_calls=cut, finish_reason="length"))
    chunks = await collect(build(), ask(tools=[ToolSpec("a", "", {})]))
    [last] = [chunk for chunk in chunks if chunk.finish_reason]
    assert (last.finish_reason, [call.id for call in last.tool_calls]) == ("length", ["c1"])
