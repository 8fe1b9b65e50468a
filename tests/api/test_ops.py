"""Queues and workers over HTTP, as operators see and steer them."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from common.container import CommonContainer
from common.ids import new_id
from common.repository.worker import Incarnation, WorkerRepository
from tests.api.conftest import ECHO, MakeUser

OPS = "/api/v1/ops"


@pytest.fixture
async def worker(container: CommonContainer) -> str:
    """A worker that has registered and holds nothing."""
    incarnation = Incarnation(new_id(), "host-a", "boot-1", 4711, ("default", "extra"), 20)
    async with container.engine().begin() as db:
        await WorkerRepository().register(db, incarnation, timedelta(seconds=60))
    return str(incarnation.id)


async def find(client: httpx2.AsyncClient, name: str) -> dict[str, Any]:
    queues = (await client.get(f"{OPS}/queues")).json()["items"]
    return next(queue for queue in queues if queue["name"] == name)


async def test_a_queue_says_what_waits_and_who_serves_it(client: httpx2.AsyncClient, worker: str) -> None:
    await client.post("/api/v1/jobs", json=ECHO)
    queue = await find(client, "default")
    assert queue.pop("oldest_at") is not None
    counts = {"queued": 1, "due": 1, "running": 0, "workers": 1, "slots": 20}
    pace = {"ended_per_minute": None, "failed_per_minute": None, "wait_estimate": None}
    assert queue == {"name": "default", "is_paused": False, **counts, **pace}
    await client.post("/api/v1/jobs", json={**ECHO, "delay": 60})
    later = await find(client, "default")
    assert (later["queued"], later["due"]) == (2, 1), "a job whose time has not come is not due"
    assert (await find(client, "extra"))["wait_estimate"] == 0, "its slots are free"
    assert (await find(client, "llm"))["wait_estimate"] is None, "nobody would take it"
    assert (await find(client, "extra"))["queued"] == 0
    assert (await find(client, "llm"))["workers"] == 0, "kinds' queues are listed also when nobody serves them"


async def test_a_queue_is_paused_and_resumed(client: httpx2.AsyncClient) -> None:
    answer = await client.post(f"{OPS}/queues/default/pause")
    assert (answer.status_code, answer.json()) == (200, {"name": "default", "is_paused": True})
    assert (await find(client, "default"))["is_paused"]
    answer = await client.post(f"{OPS}/queues/default/resume")
    assert answer.json() == {"name": "default", "is_paused": False}
    assert not (await find(client, "default"))["is_paused"]
    answer = await client.post(f"{OPS}/queues/nowhere/pause")
    assert (answer.status_code, answer.json()["detail"]) == (404, "queue nowhere does not exist")


async def test_a_worker_is_steered(client: httpx2.AsyncClient, container: CommonContainer, worker: str) -> None:
    [listed] = (await client.get(f"{OPS}/workers")).json()["items"]
    assert (listed["id"], listed["host"], listed["pid"], listed["running"]) == (worker, "host-a", 4711, 0)
    answer = await client.patch(f"{OPS}/workers/{worker}", json={"is_paused": True, "concurrency": 3})
    assert answer.status_code == 200
    assert (answer.json()["is_paused"], answer.json()["concurrency"]) == (True, 3)
    assert (await find(client, "default"))["slots"] == 0, "a paused worker serves nobody"
    answer = await client.patch(f"{OPS}/workers/{worker}", json={"is_paused": False})
    assert (answer.json()["is_paused"], answer.json()["concurrency"]) == (False, 3)
    answer = await client.patch(f"{OPS}/workers/{worker}", json={"is_draining": True})
    assert (answer.json()["is_paused"], answer.json()["is_draining"]) == (True, True)
    answer = await client.patch(f"{OPS}/workers/{worker}", json={"is_paused": False})
    assert (answer.json()["is_paused"], answer.json()["is_draining"]) == (False, False)
    async with container.engine().begin() as db:
        await db.execute(text("UPDATE workers SET stopped_at = now()"))
    answer = await client.patch(f"{OPS}/workers/{worker}", json={"is_paused": True})
    assert (answer.status_code, answer.json()["detail"]) == (404, f"worker {worker} does not exist, or has stopped")
    assert (await client.get(f"{OPS}/workers")).json() == {"items": []}


async def test_what_operators_do_is_kept(client: httpx2.AsyncClient, worker: str) -> None:
    await client.post(f"{OPS}/queues/default/pause")
    await client.post(f"{OPS}/queues/default/resume")
    await client.patch(f"{OPS}/workers/{worker}", json={"is_draining": True, "concurrency": 3})

    def is_kept(event: dict[str, Any]) -> bool:
        return str(event["event"]).startswith(("queue.", "worker."))

    async with asyncio.timeout(60):
        while True:
            kept = [*filter(is_kept, (await client.get("/api/v1/audit")).json()["items"])]
            if len(kept) == 3:
                break
            await asyncio.sleep(0.02)
    assert [(event["event"], event["target"], event["details"]) for event in reversed(kept)] == [
        ("queue.pause", "queue:default", None),
        ("queue.resume", "queue:default", None),
        ("worker.change", f"worker:{worker}", {"is_draining": True, "concurrency": 3}),
    ]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"concurrency": 0},
        {"concurrency": 10_001},
        {"more": 1},
        {"is_paused": None},
        {"is_paused": False, "is_draining": True},
    ],
)
async def test_a_change_must_change_something_possible(
    client: httpx2.AsyncClient, worker: str, body: dict[str, Any]
) -> None:
    assert (await client.patch(f"{OPS}/workers/{worker}", json=body)).status_code == 422


async def test_only_operators_may_look(client: httpx2.AsyncClient, make_user: MakeUser, worker: str) -> None:
    token = await (await make_user()).sign_in(client)
    calls = [
        ("GET", "queues"),
        ("POST", "queues/default/pause"),
        ("POST", "queues/default/resume"),
        ("GET", "workers"),
        ("PATCH", f"workers/{worker}"),
    ]
    for method, path in calls:
        body = {"is_paused": True} if method == "PATCH" else None
        answer = await client.request(method, f"{OPS}/{path}", json=body, headers=token)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), path
