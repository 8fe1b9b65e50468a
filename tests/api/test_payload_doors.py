"""Every door through which a payload comes to be kept: what it names is there, and no kind of the system gets in."""

from typing import Any
from uuid import uuid4

import httpx2

from common.container import CommonContainer
from common.queue.catalog import Catalog
from common.repository.system_schedule import SystemScheduleRepository
from tests.api.conftest import ACCESS_TOKEN, ECHO, PRODUCTION, Connect, MakeUser
from worker.system_schedules import SystemSchedules

API = "/api/v1"
NIGHTLY = {"name": "nightly", "cron": "0 3 * * *"}
INTERNAL = sorted(kind.name for kind in Catalog.load().values() if kind.internal)
PAYLOADS = {
    "thread.delete": {"thread_id": str(uuid4()), "flow": "example"},
    "document.ingest": dict.fromkeys(("collection_id", "document_id", "version_id"), str(uuid4())),
}


def search(collection_id: str) -> dict[str, Any]:
    return {"kind": "collection.search", "payload": {"collection_id": collection_id, "query": "light"}}


async def create(client: httpx2.AsyncClient, path: str, body: dict[str, Any], **headers: str) -> str:
    answer = await client.post(f"{API}/{path}", json=body, headers=headers)
    assert answer.is_success, answer.text
    return str(answer.json()["id"])


async def test_every_door_refuses_what_is_not_there_for_its_owner(
    client: httpx2.AsyncClient, make_user: MakeUser
) -> None:
    headers = await (await make_user("doors@example.com")).sign_in(client)
    mine = await create(client, "collections", {"name": "mine"})
    shared = await create(client, "collections", {"name": "ours", "visibility": "tenant"})
    thread = await create(client, "threads", {}, **headers)
    schedule = await create(client, "schedules", {**NIGHTLY, **search(shared)}, **headers)
    failed = await create(client, "jobs", {**search(shared), "delay": 3600}, **headers)
    assert (await client.post(f"{API}/jobs/{failed}/cancel", headers=headers)).status_code == 200

    for missing in (mine, str(uuid4())):
        wanted = search(missing)
        asked = {"kind": "rag.answer", "payload": {"question": "why?", "collection_id": missing}}
        for method, path, body, field in (
            ("POST", "jobs", wanted, "payload"),
            ("POST", "jobs", asked, "payload"),
            ("POST", "schedules", {**NIGHTLY, **wanted}, "payload"),
            ("POST", "schedules/preview", {**NIGHTLY, **asked}, "payload"),
            ("PATCH", f"schedules/{schedule}", {"payload": wanted["payload"]}, "payload"),
            ("POST", f"jobs/{failed}/retry", {"payload": wanted["payload"]}, "payload"),
            ("POST", "threads", {"collection_id": missing}, None),
            ("PATCH", f"threads/{thread}", {"collection_id": missing}, None),
        ):
            refused = await client.request(method, f"{API}/{path}", json=body, headers=headers)
            problem = refused.json()
            assert (refused.status_code, problem["code"]) == (422, "invalid"), (path, refused.text)
            assert problem["detail"] == f"collection {missing} does not exist"
            wrong = ["body", "collection_id"] if field is None else ["body", field, "collection_id"]
            assert [each["path"] for each in problem["errors"]] == [wrong], path
        batch = await client.post(f"{API}/jobs/batch", json={"jobs": [wanted, search(shared)]}, headers=headers)
        assert [item["status"] for item in batch.json()["items"]] == [422, 202]

    assert (await client.get(f"{API}/schedules/{schedule}", headers=headers)).json()["version"] == 1
    taken = await client.patch(f"{API}/threads/{thread}", json={"collection_id": shared}, headers=headers)
    assert taken.json()["collection_id"] == shared
    again = {"payload": {"collection_id": shared, "query": "house"}}
    assert (await client.post(f"{API}/jobs/{failed}/retry", json=again, headers=headers)).status_code == 202


async def test_a_schedule_does_not_go_on_with_what_has_gone(client: httpx2.AsyncClient) -> None:
    collection = await create(client, "collections", {"name": "going"})
    schedule = await create(client, "schedules", {**NIGHTLY, **search(collection), "paused": True})
    await client.delete(f"{API}/collections/{collection}")
    refused = await client.post(f"{API}/schedules/{schedule}/resume")
    assert (refused.status_code, refused.json()["detail"]) == (422, f"collection {collection} does not exist")
    assert (await client.get(f"{API}/schedules/{schedule}")).json()["status"] == "paused"


async def test_no_door_takes_a_kind_of_the_system(client: httpx2.AsyncClient) -> None:
    assert {"agent.clean", "document.clean", "webhook.deliver", *PAYLOADS} <= set(INTERNAL)
    schedule = await create(client, "schedules", {**NIGHTLY, **ECHO})
    listed = (await client.get(f"{API}/jobs/kinds")).json()["items"]
    assert not {each["name"] for each in listed} & set(INTERNAL)
    for kind in INTERNAL:
        wanted = {"kind": kind, "payload": PAYLOADS.get(kind, {})}
        for method, path, body in (
            ("POST", "jobs", wanted),
            ("POST", "schedules", {**NIGHTLY, **wanted}),
            ("POST", "schedules/preview", {**NIGHTLY, **wanted}),
            ("PATCH", f"schedules/{schedule}", wanted),
        ):
            refused = await client.request(method, f"{API}/{path}", json=body)
            assert (refused.status_code, kind in refused.text) == (422, True), (path, refused.text)
            assert "known kinds" in refused.text, path
        batch = await client.post(f"{API}/jobs/batch", json={"jobs": [wanted, ECHO]})
        assert [item["status"] for item in batch.json()["items"]] == [422, 202]
    assert (await client.get(f"{API}/jobs", params={"kind": "thread.delete"})).json()["items"] == []


async def test_a_job_of_the_system_is_retried_as_it_is(client: httpx2.AsyncClient) -> None:
    kept, gone = await create(client, "threads", {}), await create(client, "threads", {})
    await client.delete(f"{API}/threads/{gone}")
    [job] = (await client.get(f"{API}/jobs", params={"kind": "thread.delete"})).json()["items"]
    path = f"{API}/jobs/{job['id']}"
    assert (await client.post(f"{path}/cancel")).status_code == 200
    refused = await client.post(f"{path}/retry", json={"payload": {"thread_id": kept, "flow": "example"}})
    assert (refused.status_code, refused.json()["errors"][0]["path"]) == (422, ["body", "payload"]), refused.text
    assert (await client.post(f"{path}/retry")).status_code == 202
    assert (await client.get(f"{path}/payload")).json()["payload"]["thread_id"] == gone


async def test_a_schedule_of_the_system_keeps_its_kind_and_payload(
    connect: Connect, container: CommonContainer
) -> None:
    repositories = (container.schedules(), SystemScheduleRepository())
    await SystemSchedules(container.sessions(), *repositories, Catalog.load()).sync()
    async with connect(**PRODUCTION) as client:
        client.headers["Authorization"] = f"Bearer {ACCESS_TOKEN}"
        listed = (await client.get(f"{API}/schedules")).json()["items"]
        [schedule] = [each for each in listed if each["kind"] == "agent.clean"]
        path = f"{API}/schedules/{schedule['id']}"
        for field, value in (("kind", "document.clean"), ("kind", "system.echo"), ("payload", {"expire": False})):
            refused = await client.patch(path, json={field: value})
            problem = refused.json()
            assert (refused.status_code, problem["errors"][0]["path"]) == (422, ["body", field]), refused.text
        steered = await client.patch(path, json={"priority": 1})
    assert (steered.status_code, steered.json()["priority"]) == (200, 1)
