"""POST /api/v1/jobs/batch and /api/v1/batches: an outcome per item, progress, cancel."""

from typing import Any

import httpx2
import pytest

from common.config import CommonSettings
from common.container import CommonContainer
from common.ids import new_id
from tests.api.conftest import ECHO, Connect, MakeUser
from tests.fixtures.workers import Watcher, running_worker

JOBS, BATCHES = "/api/v1/jobs", "/api/v1/batches"


async def submit(client: httpx2.AsyncClient, *jobs: Any, **more: Any) -> dict[str, Any]:
    answer = await client.post(f"{JOBS}/batch", json={"jobs": list(jobs), **more})
    assert answer.status_code == 202, answer.text
    assert answer.headers["Location"] == f"{BATCHES}/{answer.json()['id']}"
    return dict(answer.json())


async def test_one_bad_item_never_sinks_the_others(client: httpx2.AsyncClient) -> None:
    bad: list[tuple[Any, list[Any]]] = [
        ({**ECHO, "payload": {"message": 7}}, ["payload", "message"]),
        ({**ECHO, "kind": "no.such"}, ["kind"]),
        ({**ECHO, "priority": 500}, ["priority"]),
        ({**ECHO, "payload": {"message": "nul\x00"}}, ["payload"]),
        ({**ECHO, "after": [str(new_id())]}, ["after", 0]),
        ("text", []),
    ]
    batch = await submit(client, *(item for item, _ in bad), {**ECHO, "custom_id": "good"})

    *refused, good = batch["items"]
    assert (good["status"], good["job"]["custom_id"], good["job"]["batch_id"]) == (202, "good", batch["id"])
    assert "error" not in good
    for index, (item, (_, path)) in enumerate(zip(refused, bad, strict=True)):
        assert (item["status"], item["error"]["status"]) == (422, 422)
        assert item["error"]["errors"][0]["path"] == ["body", "jobs", index, *path]
        assert "job" not in item
    assert [job["id"] for job in (await client.get(JOBS)).json()["items"]] == [good["job"]["id"]]


async def test_a_payload_that_is_too_large_is_refused_alone(connect: Connect) -> None:
    async with connect(max_payload_bytes=1024) as client:
        batch = await submit(client, {**ECHO, "payload": {"message": "x" * 2000}}, ECHO)
    assert [item["status"] for item in batch["items"]] == [413, 202]


async def test_limits_and_shape(connect: Connect) -> None:
    async with connect(max_batch_items=3) as client:
        for body, path in (
            ({"jobs": [ECHO] * 4}, ["body", "jobs"]),
            ({"jobs": []}, ["body", "jobs"]),
            ({"jobs": [ECHO], "more": 1}, ["body", "more"]),
            ({}, ["body", "jobs"]),
        ):
            answer = await client.post(f"{JOBS}/batch", json=body)
            assert answer.status_code == 422
            assert answer.json()["errors"][0]["path"] == path


async def test_a_thousand_jobs_run_and_the_batch_tells_how_far_it_is(
    client: httpx2.AsyncClient, container: CommonContainer, settings: CommonSettings, watcher: Watcher
) -> None:
    items = [{**ECHO, "payload": {"message": str(number)}, "custom_id": str(number)} for number in range(1000)]
    batch = await submit(client, *items, metadata={"order": 7})
    assert [item["job"]["custom_id"] for item in batch["items"]] == [str(number) for number in range(1000)]
    path = f"{BATCHES}/{batch['id']}"
    before = (await client.get(path)).json()
    assert (before["total"], before["counts"]["queued"], before["progress"]) == (1000, 1000, 0)
    assert before["metadata"] == {"order": 7}

    async with running_worker(settings, worker_concurrency=200):
        while (after := (await client.get(path)).json())["progress"] < 1:
            await watcher.events.get()
    assert (after["counts"]["succeeded"], after["purged"]) == (1000, 0)
    listed = (await client.get(JOBS, params={"batch": batch["id"], "limit": 3})).json()["items"]
    assert len(listed) == 3


async def test_cancel_stops_what_has_not_ended(client: httpx2.AsyncClient) -> None:
    other = (await client.post(JOBS, json=ECHO)).json()
    batch = await submit(client, ECHO, ECHO, ECHO)
    path = f"{BATCHES}/{batch['id']}"
    answer = await client.post(f"{path}/cancel")

    assert (answer.status_code, answer.json()) == (200, {"cancelled": 3, "requested": 0, "has_more": False})
    assert (await client.get(path)).json()["counts"]["cancelled"] == 3
    assert (await client.get(f"{JOBS}/{other['id']}")).json()["status"] == "queued"
    again = await client.post(f"{path}/cancel")
    assert (again.status_code, again.json()["cancelled"]) == (200, 0)


async def test_unique_items_share_one_job(client: httpx2.AsyncClient) -> None:
    unique = {**ECHO, "unique": {"mode": "while_active", "key": "k"}}
    batch = await submit(client, unique, unique, ECHO)
    first, second, plain = (item["job"] for item in batch["items"])
    assert first["id"] == second["id"] != plain["id"]
    assert ("deduplicated" in first, second["deduplicated"]) == (False, True)
    assert (await client.get(f"{BATCHES}/{batch['id']}")).json()["total"] == 2


async def test_batches_of_others_do_not_exist(client: httpx2.AsyncClient, make_user: MakeUser) -> None:
    theirs = await (await make_user()).sign_in(client)
    batch = await submit(client, ECHO)
    for batch_id in (batch["id"], str(new_id()), "not-an-id"):
        for method, path in (("GET", ""), ("POST", "/cancel")):
            answer = await client.request(method, f"{BATCHES}/{batch_id}{path}", headers=theirs)
            assert answer.status_code == 404, answer.text


@pytest.mark.parametrize("path", ["/jobs/batch", "/jobs"])
async def test_the_interface_documents_every_kind(client: httpx2.AsyncClient, path: str) -> None:
    document = (await client.get("/openapi.json")).json()
    operation = document["paths"][f"/api/v1{path}"]["post"]
    assert "Idempotency-Key" in {parameter["name"] for parameter in operation["parameters"]}
    body = str(operation["requestBody"]) + str(document["components"]["schemas"]["BatchRequest"])
    assert "SystemEchoJob" in body
    assert "LlmChatJob" in body
