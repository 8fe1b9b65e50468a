"""Threads over HTTP, with a real worker, a real provider and checkpoints in a real file."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from common.config import CommonSettings
from tests.fixtures.provider import Provider, Reply
from tests.fixtures.workers import running_worker
from worker.engine import Engine

THREADS = "/api/v1/threads"
WAIT = {"Prefer": "wait=20"}

type Work = Callable[..., AbstractAsyncContextManager[Engine]]


@pytest.fixture
def work(settings: CommonSettings, provider: Provider, tmp_path: Path) -> Work:
    """`async with work():` a worker whose agents remember under the test's folder."""

    def start(**changes: Any) -> AbstractAsyncContextManager[Engine]:
        values = {
            "data_dir": tmp_path / "data",
            "openai_base_url": provider.url,
            "openai_api_key": "a-key-of-this-test",
            "default_model": "gpt-4o-mini",
            "worker_queues": "agent",
        }
        return running_worker(settings, **{**values, **changes})

    return start


async def create(client: httpx2.AsyncClient, **values: Any) -> str:
    answer = await client.post(THREADS, json=values)
    assert answer.status_code == 201, answer.text
    thread_id: str = answer.json()["id"]
    return thread_id


async def say(client: httpx2.AsyncClient, thread_id: str, content: str, **values: Any) -> Any:
    answer = await client.post(f"{THREADS}/{thread_id}/messages", json={"content": content, **values}, headers=WAIT)
    assert answer.status_code in (200, 202), answer.text
    return answer.json()


async def test_a_thread_remembers_after_everything_was_restarted(connect: Any, work: Work, provider: Provider) -> None:
    provider.script(Reply(("Hello ", "Ada")), Reply(("You are ", "Ada")))
    async with connect() as client, work():
        thread_id = await create(client, title="names")
        first = await say(client, thread_id, "I am Ada")
    async with connect() as client, work():
        second = await say(client, thread_id, "Who am I?")
        said = (await client.get(f"{THREADS}/{thread_id}/messages")).json()["items"]

    assert (first["status"], first["result"]["answer"]) == ("succeeded", "Hello Ada")
    assert second["result"]["answer"] == "You are Ada"
    roles = [(each["role"], each["content"]) for each in provider.seen[-1].body["messages"] if each["role"] != "system"]
    assert roles == [("user", "I am Ada"), ("assistant", "Hello Ada"), ("user", "Who am I?")]
    assert [each["content"] for each in reversed(said)] == ["I am Ada", "Hello Ada", "Who am I?", "You are Ada"]
