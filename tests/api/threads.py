"""Talking with agents in threads over HTTP."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from common.config import CommonSettings
from tests.api.agent_worker import FLOWS
from tests.fixtures.provider import Provider
from tests.fixtures.workers import running_worker
from worker import agent
from worker.engine import Engine

THREADS = "/api/v1/threads"
WAIT = {"Prefer": "wait=30"}
TWENTY = 20

type Work = Callable[..., AbstractAsyncContextManager[Engine]]


def worker_values(provider: Provider, folder: Path) -> dict[str, str]:
    return {
        "data_dir": str(folder / "data"),
        "openai_base_url": provider.url,
        "openai_api_key": "a-key-of-this-test",
        "default_model": "gpt-4o-mini",
        "worker_queues": "agent",
    }


@pytest.fixture
def work(settings: CommonSettings, provider: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Work:
    """`async with work():` a worker whose agents remember under the test's folder, with one more flow."""
    monkeypatch.setattr(agent, "__path__", [*agent.__path__, FLOWS])
    values = worker_values(provider, tmp_path)
    return lambda **changes: running_worker(settings, **{**values, **changes})


async def create(client: httpx2.AsyncClient, **values: Any) -> str:
    answer = await client.post(THREADS, json=values)
    assert answer.status_code == 201, answer.text
    thread_id: str = answer.json()["id"]
    return thread_id


async def say(client: httpx2.AsyncClient, thread_id: str, content: str, *, wait: bool = True, **values: Any) -> Any:
    answer = await client.post(f"{THREADS}/{thread_id}/messages", json={"content": content, **values})
    assert answer.status_code == 202, answer.text
    return await ended(client, answer.json()) if wait else answer.json()


async def resume(client: httpx2.AsyncClient, thread_id: str, **reply: Any) -> Any:
    answer = await client.post(f"{THREADS}/{thread_id}/resume", json=reply)
    assert answer.status_code == 202, answer.text
    return await ended(client, answer.json())


async def spoken(client: httpx2.AsyncClient, thread_id: str) -> list[str]:
    page = await client.get(f"{THREADS}/{thread_id}/messages")
    return [each["content"] for each in reversed(page.json()["items"])]


async def ended(client: httpx2.AsyncClient, job: Any) -> Any:
    """The job once it has ended, however busy the machine is."""
    while job["status"] in ("queued", "running"):
        job = (await client.get(f"/api/v1/jobs/{job['id']}", headers=WAIT)).json()
    return job


def asked(provider: Provider, number: int = -1) -> list[str]:
    """What the provider was told in a call, but for the instructions."""
    return [each["content"] for each in provider.seen[number].body["messages"] if each["role"] != "system"]
