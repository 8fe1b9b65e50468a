"""What providers send that is not quite what OpenAI sends: read rightly or refused with a word, never lost."""

import asyncio
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from common.errors import JobError
from tests.fixtures.provider import Provider, Reply
from tests.worker.chat_calls import KEY, PROMPT, Build, ask, build, collect, text_of

__all__ = ["build"]

USAGE = {"prompt_tokens": 7, "completion_tokens": 4, "total_tokens": 11}
DONE = b"data: [DONE]\n\n"
JSON = {"Content-Type": "application/json"}


def event(data: object) -> bytes:
    return b"data: " + json.dumps(data).encode() + b"\n\n"


def chunk(delta: Mapping[str, Any] | None = None, reason: str | None = None, **more: Any) -> bytes:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": reason}]
    told = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices}
    return event({**told, **more})


def tool(arguments: object, name: str | None = None, **more: Any) -> bytes:
    return chunk({"tool_calls": [{**more, "type": "function", "function": {"name": name, "arguments": arguments}}]})


HI, FINISH, CALLS = chunk({"content": "Hi"}), chunk({}, "stop"), chunk({}, "tool_calls")
WHOLE = {
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
    "usage": USAGE,
}


@pytest.mark.parametrize(
    ("raw", "text", "reason"),
    [
        (b"\xef\xbb\xbf" + HI + FINISH + DONE, "Hi", "stop"),
        ((HI + FINISH + DONE).replace(b"\n", b"\r\n"), "Hi", "stop"),
        ((HI + FINISH + DONE).replace(b"data: ", b"data:"), "Hi", "stop"),
        (b": one\n\n" + HI + b": two\n\n" + FINISH, "Hi", "stop"),
        (HI.replace(b', "created"', b'\ndata: , "created"') + FINISH, "Hi", "stop"),
        (chunk() + chunk({"content": None}) + HI + FINISH, "Hi", "stop"),
        (chunk({"content": [{"type": "text", "text": "Hi"}]}) + FINISH, "Hi", "stop"),
        (chunk({"reasoning_content": "hm", "content": None}) + HI + FINISH, "Hi", "stop"),
        (HI + FINISH + FINISH + DONE, "Hi", "stop"),
        (HI + FINISH + event({"error": {"message": "too late"}}), "Hi", "stop"),
        (HI + chunk({}, "MAX_TOKENS"), "Hi", "length"),
        (chunk({"refusal": ""}) + chunk({"refusal": "I will"}) + chunk({"refusal": " not"}, "stop"), "I will not",
         "content_filter"),
    ],
)  # fmt: skip
async def test_every_way_to_stream_a_text_is_read(
    provider: Provider, build: Build, raw: bytes, text: str, reason: str
) -> None:
    provider.script(Reply(raw=raw))
    chunks = await collect(build(), ask())
    assert (text_of(chunks), [each.finish_reason for each in chunks if each.finish_reason][:1]) == (text, [reason])


async def test_an_answer_that_is_no_stream_is_read_as_well(provider: Provider, build: Build) -> None:
    provider.script(Reply(raw=json.dumps(WHOLE).encode(), headers=JSON))
    [answer] = await collect(build(), ask())
    assert (answer.text, answer.finish_reason, answer.usage and answer.usage.total_tokens) == ("Hi", "stop", 11)


@pytest.mark.parametrize(
    ("raw", "calls"),
    [
        (tool('{"a"', "f", index=0, id="1") + tool(":1}", index=0), [("1", "f", '{"a":1}')]),
        (tool('{"a"', "f", index=0, id="1") + tool(":1}", "f", index=0, id="1"), [("1", "f", '{"a":1}')]),
        (tool("{}", "f", id="1") + tool("{}", "g", id="2"), [("1", "f", "{}"), ("2", "g", "{}")]),
        (tool("{}", "f", index=0, id="1") + tool("{}", "g", index=0, id="2"), [("1", "f", "{}"), ("2", "g", "{}")]),
        (tool('{"a"', "f", id="1") + tool(":1}") + tool("{}", "g", id="2"), [("1", "f", '{"a":1}'), ("2", "g", "{}")]),
        (tool({"a": 1}, "f", index=0, id="1"), [("1", "f", '{"a": 1}')]),
        (
            tool('{"a"', "f", index=0, id="1") + tool('{"b"', "g", index=1, id="2") + tool(":1}", index=0)
            + tool(":2}", index=1),
            [("1", "f", '{"a":1}'), ("2", "g", '{"b":2}')],
        ),
    ],
)  # fmt: skip
async def test_calls_of_tools_are_told_apart(
    provider: Provider, build: Build, raw: bytes, calls: list[tuple[str, str, str]]
) -> None:
    provider.script(Reply(raw=raw + CALLS + DONE))
    chunks = await collect(build(), ask())
    assert [(call.id, call.name, call.arguments) for each in chunks for call in each.tool_calls] == calls


async def test_the_name_of_the_model_is_one_that_stores_take(provider: Provider, build: Build) -> None:
    provider.script(Reply(raw=HI + chunk({}, "stop", model="a\0b" + "c" * 1000)))
    [name] = [each.model for each in await collect(build(), ask()) if each.model]
    assert (len(name), name[:4]) == (200, "a\ufffdbc")


async def test_a_call_without_an_id_gets_one(provider: Provider, build: Build) -> None:
    provider.script(Reply(raw=tool("{}", "f") + tool("{}", "g") + CALLS))
    chunks = await collect(build(), ask())
    calls = [call for each in chunks for call in each.tool_calls]
    assert [call.name for call in calls] == ["f", "g"]
    assert len({call.id for call in calls if call.id.startswith("call_")}) == 2


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (USAGE, (7, 4, 0)),
        ({**USAGE, "prompt_tokens_details": {"cached_tokens": 9}}, (7, 4, 7)),
        ({**USAGE, "total_tokens": 31}, (7, 24, 0)),  # what was thought is billed as what was written
        ({"prompt_tokens": 7.0, "completion_tokens": None}, (7, 0, 0)),
        ({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}, None),
        ({**USAGE, "prompt_tokens": -7}, None),
        ({**USAGE, "prompt_tokens": 10**30}, None),
        ({**USAGE, "prompt_tokens": "7"}, None),
        ({**USAGE, "prompt_tokens_details": {"cached_tokens": -1}}, None),
        ({**USAGE, "prompt_tokens": 1.5}, None),
        ([7, 4], None),
    ],
)
@pytest.mark.parametrize("place", ["before", "inside", "after"])
async def test_usage_is_sound_or_none(
    provider: Provider, build: Build, told: Any, expected: tuple[int, int, int] | None, place: str
) -> None:
    usage = {
        "before": chunk(usage=told) + HI + FINISH,
        "inside": HI + chunk({}, "stop", usage=told),
        "after": HI + FINISH + chunk(usage=told),
    }
    provider.script(Reply(raw=usage[place] + DONE))
    chunks = await collect(build(), ask())
    assert text_of(chunks) == "Hi"
    found = [
        (each.usage.input_tokens, each.usage.output_tokens, each.usage.cached_tokens) for each in chunks if each.usage
    ]
    assert found == ([] if expected is None else [expected])


@pytest.mark.parametrize(
    ("reply", "said", "seconds"),
    [
        (Reply(raw=json.dumps({"error": {"message": f"no {KEY}"}}).encode(), headers=JSON), r"an error: no \*\*\*$", 0),
        (Reply(raw=HI + event({"error": f"no {KEY}"})), r"an error: no \*\*\*$", 0),
        (Reply(raw=HI + chunk({}, "error")), "broke off with the finish reason error", 0),
        (Reply(raw=b"<html>log in</html>", headers={"Content-Type": "text/html"}), "without a finish reason", 0),
        (Reply(raw=b"[]", headers=JSON), "cannot be read", 0),
        (Reply(raw=event([])), "cannot be read", 0),
        (Reply(raw=HI, headers={"Content-Encoding": "gzip"}), "cannot be read", 0),
        (Reply(status=400, raw=json.dumps({"error": f"no {KEY}"}).encode(), headers=JSON), r"\(400\): no \*\*\*$", 0),
        (Reply(status=302, raw=b"", headers={"Location": "http://127.0.0.1:9/"}), r"\(302\)$", 0),
        (Reply(status=529, headers={"Retry-After": "7"}), "answered 529", 7),
        (Reply(status=429, headers={"Retry-After": "7", "Retry-After-Ms": "1500"}), "answered 429", 1.5),
        (Reply(status=429, headers={"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"}), "answered 429", 86_400),
        (Reply(status=429, headers={"Retry-After": "Mon, 01 Jan 2001 00:00:00 GMT"}), "answered 429", 0),
        (Reply(status=429, headers={"Retry-After": "1e999"}), "answered 429", 86_400),
        (Reply(status=429, error={"code": "insufficient_quota"}), r"answered 429 \(insufficient_quota\)", 0),
    ],
)
async def test_what_is_no_answer_says_so_without_keys(
    provider: Provider, build: Build, reply: Reply, said: str, seconds: float
) -> None:
    provider.script(reply)
    with pytest.raises(JobError, match=said) as caught:
        await collect(build(), ask())
    wait = getattr(caught.value, "retry_after", None) or timedelta()
    assert wait.total_seconds() == seconds
    assert KEY not in caught.value.message
    assert len(provider.seen) == 1


async def test_the_beginning_of_a_question_is_not_quoted_either(provider: Provider, build: Build) -> None:
    provider.script(Reply(status=400, error={"message": f"flagged as unsafe: '{PROMPT[:30]} ...' in the conversation"}))
    with pytest.raises(JobError, match=r"\(400\): flagged as unsafe: .*\*\*\*.* in the conversation") as caught:
        await collect(build(), ask())
    assert not any(PROMPT[first : first + 16] in caught.value.message for first in range(len(PROMPT) - 15))


async def test_what_goes_on_after_the_finish_is_not_waited_for(
    provider: Provider, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.llm.watch._USAGE_GRACE", timedelta(seconds=0.2))
    provider.script(Reply(ending="chatter"))
    async with asyncio.timeout(60):
        assert text_of(await collect(build(), ask())) == "Hello, world!"
        await provider.seen[0].gone.wait()
