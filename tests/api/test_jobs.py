"""Reading, waiting for, listing, cancelling and retrying jobs."""

import asyncio
from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from common.container import CommonContainer
from common.ids import new_id
from tests.api.conftest import ECHO, Connect, MakeUser

JOBS = "/api/v1/jobs"


async def submit(client: httpx2.AsyncClient, **changes: Any) -> dict[str, Any]:
    answer = await client.post(JOBS, json={**ECHO, **changes})
    assert answer.status_code == 202, answer.text
    return dict(answer.json())


async def claim(container: CommonContainer, job_id: str) -> None:
    """What a worker's claim leaves on the row."""
    statement = """UPDATE jobs SET status = 'running', attempt = attempt + 1, lease_owner = :worker,
                   started_at = now(), updated_at = now() WHERE id = :id"""
    async with container.sessions().begin() as db:
        await db.execute(text(statement), {"id": job_id, "worker": new_id()})


async def succeed(container: CommonContainer, job_id: str) -> None:
    """What a worker's finish leaves on the row, without any event."""
    statement = """UPDATE jobs SET status = 'succeeded', lease_owner = NULL, result = '{"message": "hello"}',
                   finished_at = now(), updated_at = now() WHERE id = :id"""
    async with container.sessions().begin() as db:
        await db.execute(text(statement), {"id": job_id})


async def test_unknown_foreign_and_malformed_ids_are_the_same_404(
    client: httpx2.AsyncClient, make_user: MakeUser
) -> None:
    theirs = await (await make_user()).sign_in(client)
    job = await submit(client)
    ids = {"unknown": str(new_id()), "foreign": job["id"], "malformed": "not-an-id", "braced": f"{{{job['id']}}}"}
    bodies = {}
    for name, job_id in ids.items():
        for method, path in (("GET", ""), ("GET", "/attempts"), ("POST", "/cancel"), ("POST", "/retry")):
            answer = await client.request(method, f"{JOBS}/{job_id}{path}", headers=theirs)
            assert answer.status_code == 404, (name, path, answer.text)
        body = (await client.get(f"{JOBS}/{job_id}", headers=theirs)).json()
        bodies[name] = {**body, "request_id": "", "detail": body["detail"].replace(job_id, "ID"), "instance": ""}
    assert bodies["unknown"] == bodies["foreign"] == bodies["malformed"] == bodies["braced"]
    assert (await client.get(f"{JOBS}/{job['id']}")).json()["status"] == "queued"
    assert (await client.get(JOBS, headers=theirs)).json()["items"] == []


async def test_wait_ends_with_the_job(client: httpx2.AsyncClient) -> None:
    async def cancel_what_comes() -> None:
        async with asyncio.timeout(60):
            while not (jobs := (await client.get(JOBS)).json()["items"]):
                pass
        await client.post(f"{JOBS}/{jobs[0]['id']}/cancel")

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(cancel_what_comes())
        answer = await client.post(JOBS, json=ECHO, headers={"Prefer": "respond-async, wait=20"})

    assert answer.status_code == 200
    assert answer.headers["Preference-Applied"] == "wait=20"
    assert "Retry-After" not in answer.headers
    assert answer.json()["status"] == "cancelled"
    assert answer.json()["error"]["code"] == "cancelled"


async def test_wait_that_runs_out_answers_202(client: httpx2.AsyncClient) -> None:
    answer = await client.post(JOBS, json=ECHO, headers={"Prefer": "wait=1"})

    assert (answer.status_code, answer.json()["status"]) == (202, "queued")


@pytest.mark.parametrize("prefer", ["wait=abc", "wait=-1", "wait", "wait=", "handling=lenient", "wait=1.5"])
async def test_preferences_without_sense_are_ignored(client: httpx2.AsyncClient, prefer: str) -> None:
    answer = await client.post(JOBS, json=ECHO, headers={"Prefer": prefer})

    assert answer.status_code == 202
    assert "Preference-Applied" not in answer.headers


async def test_wait_is_bounded_by_the_setting(connect: Connect) -> None:
    async with connect(max_wait=1) as client:
        answer = await client.post(JOBS, json=ECHO, headers={"Prefer": "wait=999999999"})

    assert answer.headers["Preference-Applied"] == "wait=1"


@pytest.mark.parametrize("redis_url", [None, "redis://127.0.0.1:1/0"])
async def test_wait_sees_the_row_also_without_an_event(
    connect: Connect, container: CommonContainer, redis_url: str | None
) -> None:
    changes = {} if redis_url is None else {"redis_url": redis_url}
    async with connect(**changes) as client:
        job = await submit(client)
        await claim(container, job["id"])
        waiting = asyncio.create_task(client.get(f"{JOBS}/{job['id']}", headers={"Prefer": "wait=60"}))
        await asyncio.sleep(0.1)
        await succeed(container, job["id"])
        async with asyncio.timeout(50):
            answer = await waiting

    assert answer.json()["result"] == {"message": "hello"}


async def test_long_poll_answers_on_change_and_304_without(
    client: httpx2.AsyncClient, container: CommonContainer
) -> None:
    job = await submit(client)
    url = f"{JOBS}/{job['id']}"
    etag = (await client.get(url)).headers["ETag"]
    assert etag.startswith('W/"')

    unchanged = await client.get(url, headers={"If-None-Match": f'"other", {etag}'})
    assert (unchanged.status_code, unchanged.content, unchanged.headers["ETag"]) == (304, b"", etag)

    timed_out = await client.get(url, headers={"If-None-Match": etag, "Prefer": "wait=1"})
    assert timed_out.status_code == 304
    assert timed_out.headers["Preference-Applied"] == "wait=1"

    waiting = asyncio.create_task(client.get(url, headers={"If-None-Match": etag, "Prefer": "wait=60"}))
    await asyncio.sleep(0.1)
    await claim(container, job["id"])
    await client.post(f"{url}/cancel")  # its event wakes the waiting request
    async with asyncio.timeout(50):
        changed = await waiting
    assert (changed.status_code, changed.json()["status"]) == (200, "running")
    assert changed.headers["ETag"] != etag


async def test_list_goes_page_by_page_newest_first(client: httpx2.AsyncClient) -> None:
    ids = [(await submit(client))["id"] for _ in range(5)]

    first = await client.get(JOBS, params={"limit": 2})
    assert first.headers["Link"].endswith('; rel="next"')
    second = await client.get(first.headers["Link"].partition(">")[0].removeprefix("<"))
    last = await client.get(JOBS, params={"limit": 2, "cursor": second.json()["next_cursor"]})

    pages = [page.json() for page in (first, second, last)]
    assert [job["id"] for page in pages for job in page["items"]] == sorted(ids, reverse=True)
    assert pages[-1]["next_cursor"] is None
    assert "Link" not in last.headers
    assert "result" not in pages[0]["items"][0]


async def test_list_filters(client: httpx2.AsyncClient) -> None:
    red = await submit(client, tags=["red", "big"])
    sleep = await submit(client, kind="system.sleep", payload={"seconds": 1})
    await client.post(f"{JOBS}/{sleep['id']}/cancel")

    async def listed(**params: Any) -> list[str]:
        return [job["id"] for job in (await client.get(JOBS, params=params)).json()["items"]]

    assert await listed(tag="big") == [red["id"]]
    assert await listed(kind="system.sleep") == [sleep["id"]]
    assert await listed(status="queued") == [red["id"]]
    assert await listed(status=["queued", "cancelled"]) == [sleep["id"], red["id"]]
    assert await listed(queue="default", status="failed") == []


@pytest.mark.parametrize(
    ("params", "path"),
    [
        ({"limit": 0}, ["query", "limit"]),
        ({"limit": 201}, ["query", "limit"]),
        ({"limit": "many"}, ["query", "limit"]),
        ({"status": "done"}, ["query", "status", 0]),
        ({"kind": "a\x00"}, ["query", "kind"]),
        ({"cursor": "nonsense"}, ["query", "cursor"]),
        ({"cursor": "é" * 8}, ["query", "cursor"]),
        ({"cursor": "A" * 43}, ["query", "cursor"]),
    ],
)
async def test_wrong_query_names_the_parameter(
    client: httpx2.AsyncClient, params: dict[str, Any], path: list[Any]
) -> None:
    answer = await client.get(JOBS, params=params)

    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["path"] == path


async def test_cursor_of_somebody_else_is_refused(client: httpx2.AsyncClient, make_user: MakeUser) -> None:
    theirs = await (await make_user()).sign_in(client)
    for _ in range(2):
        await submit(client)
    cursor = (await client.get(JOBS, params={"limit": 1})).json()["next_cursor"]

    answer = await client.get(JOBS, params={"cursor": cursor}, headers=theirs)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["path"] == ["query", "cursor"]


async def test_cancel_then_retry(client: httpx2.AsyncClient) -> None:
    job = await submit(client)
    url = f"{JOBS}/{job['id']}"

    too_early = await client.post(f"{url}/retry")
    cancelled = await client.post(f"{url}/cancel")
    again = await client.post(f"{url}/cancel")
    retried = await client.post(f"{url}/retry")

    assert (too_early.status_code, too_early.json()["code"]) == (409, "conflict")
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    assert cancelled.json()["waiting"] is None
    assert again.status_code == 200
    assert (retried.status_code, retried.json()["status"], retried.headers["Location"]) == (202, "queued", url)


async def test_cancel_of_running_and_ended_jobs(client: httpx2.AsyncClient, container: CommonContainer) -> None:
    job = await submit(client)
    await claim(container, job["id"])
    requested = await client.post(f"{JOBS}/{job['id']}/cancel")
    other = await submit(client)
    await claim(container, other["id"])
    await succeed(container, other["id"])
    refused = await client.post(f"{JOBS}/{other['id']}/cancel")

    assert (requested.status_code, requested.json()["status"]) == (202, "running")
    assert requested.json()["cancel_requested_at"] is not None
    assert refused.status_code == 409
    assert "succeeded" in refused.json()["detail"]


async def test_attempts_are_listed(client: httpx2.AsyncClient, container: CommonContainer) -> None:
    job = await submit(client)
    statement = """INSERT INTO attempts (job_id, attempt, worker_id, outcome, error, started_at)
                   VALUES (:job, :attempt, :worker, :outcome, '{"code": "transient"}', now())"""
    async with container.sessions().begin() as db:
        for attempt, outcome in ((2, "failed"), (1, "retried")):
            values = {"job": job["id"], "attempt": attempt, "worker": new_id(), "outcome": outcome}
            await db.execute(text(statement), values)

    items = (await client.get(f"{JOBS}/{job['id']}/attempts")).json()["items"]

    assert [(item["attempt"], item["outcome"]) for item in items] == [(1, "retried"), (2, "failed")]
    assert items[0]["error"] == {"code": "transient"}


async def test_kinds_are_described_for_machines(client: httpx2.AsyncClient) -> None:
    kinds = {kind["name"]: kind for kind in (await client.get(f"{JOBS}/kinds")).json()["items"]}

    echo = kinds["system.echo"]
    assert (echo["queue"], echo["timeout"], echo["max_attempts"]) == ("default", 300.0, 3)
    assert echo["description"] == "Return the message as it came."
    assert echo["payload"]["required"] == ["message"]
    assert echo["payload"]["additionalProperties"] is False
    assert echo["result"]["properties"]["message"]["type"] == "string"


async def test_openapi_documents_every_kind(client: httpx2.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    body = document["paths"][JOBS]["post"]["requestBody"]["content"]["application/json"]["schema"]
    names = [kind["name"] for kind in (await client.get(f"{JOBS}/kinds")).json()["items"]]

    assert sorted(body["discriminator"]["mapping"]) == names
    echo = document["components"]["schemas"]["SystemEchoJob"]
    assert echo["description"] == "Return the message as it came."
    assert echo["additionalProperties"] is False
    assert document["paths"][JOBS]["post"]["responses"]["422"] == {"$ref": "#/components/responses/Problem422"}


async def test_time_until_a_retry_is_shown(client: httpx2.AsyncClient, container: CommonContainer) -> None:
    job = await submit(client, delay=60)
    async with container.sessions().begin() as db:
        await db.execute(text("UPDATE jobs SET failures = 1 WHERE id = :id"), {"id": job["id"]})

    shown = (await client.get(f"{JOBS}/{job['id']}")).json()

    assert shown["waiting"] == {"reason": "retry", "until": shown["run_at"], "message": None}
