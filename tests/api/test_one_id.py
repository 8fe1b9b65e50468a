"""One request id from the request to the provider: in the log file, at the provider, and beside the call's record."""

import json
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import httpx2
import pytest

from common.config import CommonSettings
from common.events import EventType
from common.logger import configure_logging, shutdown_logging
from tests.api.conftest import Connect
from tests.fixtures.mongo import connected
from tests.fixtures.provider import Provider
from tests.fixtures.workers import Watcher, running_worker

REQUEST_ID = "ticket-4711"
CHAT = {"kind": "llm.chat", "payload": {"messages": [{"role": "user", "content": "unusual words of a prompt"}]}}


@pytest.fixture
def log_file(tmp_path: Path) -> Iterator[Path]:
    """Where this process logs, as production does."""
    path = tmp_path / "logs" / "app.log"
    configure_logging(
        CommonSettings(_env_file=None, environment="production", log_level="DEBUG", log_file_path=path), process="api"
    )
    yield path
    shutdown_logging()


def read(path: Path) -> str:
    return path.read_text("utf-8")


async def test_one_id_goes_through_api_worker_and_provider(
    connect: Connect, settings: CommonSettings, watcher: Watcher, provider: Provider, mongodb_url: str, log_file: Path
) -> None:
    models = {"openai_base_url": provider.url, "openai_api_key": "unusual-key-4711", "default_model": "gpt-4o-mini"}
    changes = {**models, "mongodb_url": mongodb_url, "llm_call_log": True}
    async with connect() as client, running_worker(settings, **changes):
        answer = await client.post("/api/v1/jobs", json=CHAT, headers={"X-Request-ID": REQUEST_ID})
        job_id = answer.json()["id"]
        await watcher.until(UUID(job_id), EventType.SUCCEEDED)
    shutdown_logging()

    said = read(log_file)
    lines = [json.loads(line) for line in said.splitlines()]
    mine = [line for line in lines if line["extra"].get("request_id") == REQUEST_ID]
    assert {"api.middleware.tracking", "worker.engine"} <= {line["logger"] for line in mine}
    assert {line["extra"]["job_id"] for line in mine if line["logger"] == "worker.engine"} == {job_id}
    [seen] = provider.seen
    assert seen.headers["x-request-id"] == REQUEST_ID
    async with connected(mongodb_url) as database:
        [call] = [document async for document in database["llm_call_log"].find({})]
    assert (call["request_id"], str(call["job_id"]), call["outcome"]) == (REQUEST_ID, job_id, "ok")
    assert (call["operation"], call["model"]) == ("chat", "gpt-4o-mini")
    assert call["input_tokens"] > 0
    assert "unusual words" not in said + str(call)
    assert "unusual-key" not in said + str(call)


async def test_calls_are_listed_page_by_page(
    connect: Connect, settings: CommonSettings, watcher: Watcher, provider: Provider, mongodb_url: str
) -> None:
    log = {"mongodb_url": mongodb_url, "llm_call_log": True}
    models = {"openai_base_url": provider.url, "openai_api_key": "unusual-key-4711", "default_model": "gpt-4o-mini"}
    prompts = [{"custom_id": str(number), "prompt": f"the {number}th question"} for number in range(5)]
    batch = {"kind": "llm.batch", "payload": {"items": prompts}}
    async with connect(**log) as client:
        async with running_worker(settings, **models, **log):
            jobs = [(await client.post("/api/v1/jobs", json=body)).json()["id"] for body in (CHAT, batch)]
            for job in jobs:
                await watcher.until(UUID(job), EventType.SUCCEEDED)
        found, url = [], "/api/v1/llm-calls?limit=2"
        while url:
            answer = await client.get(url)
            found += answer.json()["items"]
            url = answer.links.get("next", {}).get("url", "")
        (only,) = (await client.get("/api/v1/llm-calls", params={"job_id": jobs[0]})).json()["items"]
        foreign = await client.get("/api/v1/llm-calls", params={"cursor": answer.url.params["cursor"], "model": "x"})
        none = await client.get("/api/v1/llm-calls", params={"until": only["ts"], "since": "2030-01-01T00:00:00Z"})

    assert len({each["id"] for each in found}) == len(found) == 6
    assert [each["ts"] for each in found] == sorted((each["ts"] for each in found), reverse=True)
    assert (only["job_id"], only["attempt"], only["operation"], only["outcome"]) == (jobs[0], 1, "chat", "ok")
    assert only in found
    assert (foreign.status_code, none.status_code) == (422, 422)


async def test_without_the_setting_no_call_is_kept(
    client: httpx2.AsyncClient, settings: CommonSettings, watcher: Watcher, provider: Provider, mongodb_url: str
) -> None:
    models = {"openai_base_url": provider.url, "openai_api_key": "unusual-key-4711", "default_model": "gpt-4o-mini"}
    async with running_worker(settings, **models, mongodb_url=mongodb_url):
        job = (await client.post("/api/v1/jobs", json=CHAT)).json()
        await watcher.until(UUID(job["id"]), EventType.SUCCEEDED)

    async with connected(mongodb_url) as database:
        assert await database.list_collection_names() == []
