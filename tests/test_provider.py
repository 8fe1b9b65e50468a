"""The provider that other tests rely on, as the OpenAI SDK sees it."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import openai
import pytest
from openai import AsyncOpenAI

from tests.fixtures.provider import Faults, Provider, Quotas, Reply, ToolUse

SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 6},
        "kind": {"enum": ["a", "b"]},
        "parts": {"type": "array", "items": {"$ref": "#/$defs/part"}, "minItems": 2},
    },
    "required": ["name", "kind", "parts"],
    "$defs": {"part": {"type": "object", "properties": {"size": {"type": "integer"}}, "required": ["size"]}},
}
TOOL: Any = {"type": "function", "function": {"name": "look_up", "parameters": SCHEMA}}


@pytest.fixture
async def client(provider: Provider) -> AsyncIterator[AsyncOpenAI]:
    """The real SDK, which never tries again by itself."""
    async with AsyncOpenAI(base_url=provider.url, api_key="x", max_retries=0, timeout=60) as client:
        yield client


async def chat(client: AsyncOpenAI, text: str = "Hi", **values: Any) -> Any:
    return await client.chat.completions.create(model="m", messages=[{"role": "user", "content": text}], **values)


async def streamed(client: AsyncOpenAI, **values: Any) -> list[Any]:
    return [chunk async for chunk in await chat(client, stream=True, stream_options={"include_usage": True}, **values)]


async def test_both_ways_to_chat(client: AsyncOpenAI) -> None:
    whole = await chat(client)
    chunks = await streamed(client)
    assert whole.choices[0].message.content == "Hello, world!"
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "Hello, world!"
    assert whole.usage.total_tokens == chunks[-1].usage.total_tokens == 11


async def test_tools_and_schemas_are_followed(provider: Provider, client: AsyncOpenAI) -> None:
    forced = await chat(client, tools=[TOOL], tool_choice="required")
    arguments = json.loads(forced.choices[0].message.tool_calls[0].function.arguments)
    assert arguments == {"name": "textxx", "kind": "a", "parts": [{"size": 0}, {"size": 0}]}
    assert forced.choices[0].finish_reason == "tool_calls"
    form: Any = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}
    assert json.loads((await chat(client, response_format=form)).choices[0].message.content) == arguments
    provider.script(Reply(pieces=(), tool_calls=(ToolUse("a", '{"x": 1}'), ToolUse("b", "{}", "call_2"))))
    deltas = [choice.delta for chunk in await streamed(client) for choice in chunk.choices]
    parts = [call for delta in deltas for call in delta.tool_calls or ()]
    assert "".join(part.function.arguments for part in parts if part.index == 0) == '{"x": 1}'
    assert [part.function.name for part in parts if part.id] == ["a", "b"]


async def test_the_other_shape(client: AsyncOpenAI) -> None:
    whole = await client.responses.create(model="m", input="Hi")
    assert (whole.output_text, whole.status) == ("Hello, world!", "completed")
    stream = await client.responses.create(model="m", input="Hi", stream=True)
    events = [event async for event in stream]
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == "Hello, world!"
    assert events[-1].type == "response.completed"
    assert [event.sequence_number for event in events] == list(range(len(events)))


async def test_chance_is_decided_by_seed_call_and_repetition(provider: Provider, client: AsyncOpenAI) -> None:
    async def fates(order: list[int]) -> list[str]:
        provider.faults = Faults(7, {"429": 0.2, "503": 0.2, "drop": 0.2, "malformed": 0.2})
        found = dict.fromkeys(sorted(order), "")
        for number in order:
            try:
                await streamed(client, user=str(number))
            except (openai.APIError, httpx2.HTTPError, ValueError) as error:
                found[number] = type(error).__name__
        return list(found.values())

    first = await fates(list(range(40)))
    assert first == await fates(list(reversed(range(40))))
    assert len(set(first)) >= 4


async def test_quotas_are_kept_and_told(provider: Provider, client: AsyncOpenAI) -> None:
    provider.quotas = Quotas(requests=3, concurrency=2)
    provider.script(*[Reply(delay=0.05)] * 2)
    results = await asyncio.gather(*(chat(client, str(number)) for number in range(3)), return_exceptions=True)
    (refusal,) = [result for result in results if isinstance(result, openai.RateLimitError)]
    assert "concurrency" in refusal.message
    await chat(client)
    with pytest.raises(openai.RateLimitError, match="requests") as caught:
        await chat(client)
    assert 50 < float(caught.value.response.headers["retry-after"]) <= 60
    assert provider.verdict.violations == {"concurrency": 1, "requests": 1}


async def test_the_verdict_tells_what_was_paid_twice_and_what_leaks(provider: Provider, client: AsyncOpenAI) -> None:
    for text in ("a", "b", "a"):
        await chat(client, text)
    provider.script(Reply(status=500), Reply(ending="drop"))
    for _ in range(2):
        with pytest.raises(openai.APIError):
            await chat(client, "c")
    provider.script(Reply(ending="stall"))
    provider.asked.clear()
    leak = asyncio.create_task(chat(client, "d"))
    await provider.asked.wait()
    verdict = provider.verdict
    assert (verdict.requests, verdict.distinct, verdict.repeated, verdict.under_way) == (6, 4, 1, 1)
    assert sorted(verdict.paid.values()) == [1, 2]
    leak.cancel()
    await provider.seen[-1].gone.wait()


def test_it_runs_as_a_process_of_its_own() -> None:
    command = [sys.executable, "-m", "tests.fixtures.provider", "--pieces", "3"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        with openai.OpenAI(base_url=url, api_key="x") as client:
            answer = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}])
        assert answer.choices[0].message.content == "word0 word1 word2 "
        found = httpx2.get(url.removesuffix("/v1") + "/_verdict").json()
        assert (found["requests"], found["under_way"]) == (1, 0)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(60) == 0
