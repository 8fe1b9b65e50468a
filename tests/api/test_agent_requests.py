"""Requests about threads and collections that come twice have one effect; jobs name only what is their owner's."""

from typing import Any
from uuid import uuid4

import httpx2
import pytest

from tests.api.conftest import MakeUser
from tests.api.threads import THREADS, Work, create, ended, say

COLLECTIONS = "/api/v1/collections"
JOBS = "/api/v1/jobs"


async def twice(client: httpx2.AsyncClient, path: str, changed: dict[str, Any], **request: Any) -> Any:
    """What a request came to that was sent twice; then another content under the same key is refused."""
    headers = {"Idempotency-Key": str(uuid4())}
    first, again = [await client.post(path, headers=headers, **request) for _ in range(2)]
    assert first.is_success, first.text
    assert (again.status_code, again.headers.get("Idempotency-Replayed")) == (first.status_code, "true"), path
    assert "Idempotency-Replayed" not in first.headers
    other = await client.post(path, headers=headers, **{**request, **changed})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused"), other.text
    return first.json(), again.json()


async def test_a_repeated_request_makes_nothing_twice(client: httpx2.AsyncClient, work: Work) -> None:
    async with work(lease_duration=30, heartbeat_interval=2):
        thread, same = await twice(client, THREADS, {"json": {"flow": "other"}}, json={"flow": "approval"})
        assert thread == same
        path = f"{THREADS}/{thread['id']}"
        job, same = await twice(client, f"{path}/messages", {"json": {"content": "b"}}, json={"content": "a"})
        assert job["id"] == same["id"]
        assert (await ended(client, job))["result"]["interrupt"]["expects"] == "approval"
        job, same = await twice(client, f"{path}/resume", {"json": {"approved": False}}, json={"approved": True})
        assert job["id"] == same["id"]
        assert (await ended(client, job))["status"] == "succeeded"
        fork, same = await twice(client, f"{path}/fork", {"json": {"title": "other"}}, json={})
        assert (fork["thread"]["id"], fork["job"]["id"]) == (same["thread"]["id"], same["job"]["id"])
    assert [len((await client.get(f"{path}/messages")).json()["items"]), await count(client, THREADS)] == [2, 2]

    books, same = await twice(client, COLLECTIONS, {"json": {"name": "other"}}, json={"name": "books"})
    assert books == same
    path = f"{COLLECTIONS}/{books['id']}/documents"
    other = {"files": {"file": ("a.txt", b"another text")}}
    added, same = await twice(client, path, other, files={"file": ("a.txt", b"some text")})
    assert (added["document"]["id"], added["job"]["id"]) == (same["document"]["id"], same["job"]["id"])
    assert [await count(client, COLLECTIONS), await count(client, path)] == [1, 1]


async def count(client: httpx2.AsyncClient, path: str) -> int:
    return len((await client.get(path)).json()["items"])


@pytest.mark.parametrize("field", ["thread_id", "collection_id"])
async def test_a_job_cannot_name_what_is_not_its_owners(
    client: httpx2.AsyncClient, make_user: MakeUser, field: str
) -> None:
    other = await make_user("namer@example.com")
    made = (
        await client.post(THREADS, json={})
        if field == "thread_id"
        else await client.post(COLLECTIONS, json={"name": "n"})
    )
    headers = await other.sign_in(client)
    for id_ in (made.json()["id"], str(uuid4())):
        body = {"kind": "agent.run", "payload": {"input": "hello", field: id_}}
        refused = await client.post(JOBS, json=body, headers=headers)
        [item] = (await client.post(f"{JOBS}/batch", json={"jobs": [body]}, headers=headers)).json()["items"]
        problem = refused.json()
        assert (refused.status_code, problem["code"], item["status"]) == (422, "invalid", 422)
        assert f"{field.removesuffix('_id')} {id_} does not exist" in problem["detail"]
        assert problem["errors"][0]["path"] == ["body", "payload", field]
    mine = {"kind": "agent.run", "payload": {"input": "hello", field: made.json()["id"]}}
    assert (await client.post(JOBS, json=mine)).status_code == 202


async def test_a_deleted_thread_takes_no_jobs(client: httpx2.AsyncClient, work: Work) -> None:
    async with work():
        thread_id = await create(client)
        await say(client, thread_id, "hello")
        await client.delete(f"{THREADS}/{thread_id}")
    body = {"kind": "agent.run", "payload": {"input": "hello", "thread_id": thread_id}}
    assert (await client.post(JOBS, json=body)).status_code == 422
