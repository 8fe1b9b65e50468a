"""Many jobs at once by filter, another payload for a retry, and unique jobs and dependencies over HTTP."""

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


async def fail(container: CommonContainer, *jobs: dict[str, Any]) -> None:
    """What a worker's last verdict leaves on the rows."""
    statement = """UPDATE jobs SET status = 'failed', failures = 5, finished_at = now(), updated_at = now(),
                   error = '{"code": "permanent", "message": "no"}' WHERE id = ANY(:ids)"""
    async with container.sessions().begin() as db:
        await db.execute(text(statement), {"ids": [job["id"] for job in jobs]})


async def test_cancel_by_filter_is_bounded_and_says_whether_more_is_left(
    connect: Connect, container: CommonContainer
) -> None:
    async with connect(max_bulk_jobs=2) as client:
        red = [await submit(client, tags=["red"]) for _ in range(3)]
        blue = await submit(client, tags=["blue"])
        first = await client.post(f"{JOBS}/cancel", json={"tag": "red"})
        second = await client.post(f"{JOBS}/cancel", json={"tag": "red"})

        assert first.json() == {"cancelled": 2, "requested": 0, "has_more": True}
        assert second.json() == {"cancelled": 1, "requested": 0, "has_more": False}
        for job in red:
            assert (await client.get(f"{JOBS}/{job['id']}")).json()["status"] == "cancelled"
        assert (await client.get(f"{JOBS}/{blue['id']}")).json()["status"] == "queued"
        page = await container.events().read(red[0]["id"])
        assert page.events[-1].type == "job.cancelled"


async def test_cancel_asks_running_jobs_to_stop(client: httpx2.AsyncClient, container: CommonContainer) -> None:
    job = await submit(client)
    async with container.sessions().begin() as db:
        statement = "UPDATE jobs SET status = 'running', attempt = 1, lease_owner = :worker, started_at = now()"
        await db.execute(text(statement), {"worker": new_id()})
    answer = await client.post(f"{JOBS}/cancel", json={"status": ["running"], "kind": "system.echo"})
    assert (answer.status_code, answer.json()) == (202, {"cancelled": 0, "requested": 1, "has_more": False})
    assert (await client.get(f"{JOBS}/{job['id']}")).json()["cancel_requested_at"] is not None


async def test_retry_by_filter_takes_failed_jobs_unless_told_otherwise(
    client: httpx2.AsyncClient, container: CommonContainer, make_user: MakeUser
) -> None:
    failed, cancelled, foreign = await submit(client), await submit(client), await submit(client)
    await fail(container, failed, foreign)
    theirs = await (await make_user()).sign_in(client)
    await client.post(f"{JOBS}/{cancelled['id']}/cancel")
    assert (await client.post(f"{JOBS}/retry", json={"queue": "default"}, headers=theirs)).json()["retried"] == 0

    answer = await client.post(f"{JOBS}/retry", json={"queue": "default"})
    assert (answer.status_code, answer.json()) == (202, {"retried": 2, "has_more": False})
    job = (await client.get(f"{JOBS}/{failed['id']}")).json()
    assert (job["status"], job["failures"], job["error"]) == ("queued", 0, None)
    answer = await client.post(f"{JOBS}/retry", json={"status": ["cancelled", "succeeded"]})
    assert answer.json() == {"retried": 1, "has_more": False}


@pytest.mark.parametrize("path", ["cancel", "retry"])
@pytest.mark.parametrize("body", [{}, {"tag": None}, {"more": 1}, {"status": ["done"]}, {"status": []}, {"tag": "\n"}])
async def test_a_selection_must_select(client: httpx2.AsyncClient, path: str, body: dict[str, Any]) -> None:
    assert (await client.post(f"{JOBS}/{path}", json=body)).status_code == 422


async def test_retry_with_another_payload(client: httpx2.AsyncClient, container: CommonContainer) -> None:
    job = await submit(client)
    await fail(container, job)
    path = f"{JOBS}/{job['id']}/retry"
    wrong = await client.post(path, json={"payload": {"message": 7}})
    assert wrong.status_code == 422
    assert wrong.json()["errors"][0]["path"] == ["body", "payload", "message"]

    answer = await client.post(path, json={"payload": {"message": "other"}})
    assert (answer.status_code, answer.json()["status"]) == (202, "queued")
    async with container.sessions()() as db:
        payload = (await db.execute(text("SELECT payload FROM jobs"))).scalar_one()
    assert payload == {"message": "other"}
    assert (await client.post(path)).status_code == 409


async def test_unique_and_after_over_http(client: httpx2.AsyncClient) -> None:
    unique = {"mode": "while_active", "key": "report"}
    first = await submit(client, unique=unique)
    second = await submit(client, unique=unique)
    assert (second["id"], second["deduplicated"]) == (first["id"], True)
    child = await submit(client, after=[first["id"]], on_failure="cancel", custom_id="mine")
    assert child["waiting"] == {"reason": "dependency", "until": None, "message": None}
    assert child["custom_id"] == "mine"


@pytest.mark.parametrize(
    ("changes", "path", "words"),
    [
        ({"unique": {"mode": "throttle"}}, ["body", "unique"], "throttle needs a period"),
        ({"unique": {"mode": "keep_last", "period": 5}}, ["body", "unique"], "takes no period"),
        ({"unique": {"mode": "never"}}, ["body", "unique", "mode"], "while_active"),
        ({"unique": {"mode": "while_active", "key": "a\x00"}}, ["body", "unique", "key"], "printable"),
        ({"unique": {"mode": "debounce", "period": 5}, "delay": 1}, ["body"], "leave delay and run_at out"),
        ({"after": ["x"]}, ["body", "after", 0], "UUID"),
        ({"after": [str(new_id())]}, ["body", "after", 0], "does not exist"),
        ({"on_failure": "ignore"}, ["body", "on_failure"], "fail"),
        ({"custom_id": ""}, ["body", "custom_id"], "at least 1"),
    ],
)
async def test_wrong_choices_name_the_field(
    client: httpx2.AsyncClient, changes: dict[str, Any], path: list[Any], words: str
) -> None:
    answer = await client.post(JOBS, json={**ECHO, **changes})
    assert answer.status_code == 422, answer.text
    problem = answer.json()["errors"][0]
    assert problem["path"] == path
    assert words in problem["message"]


async def test_full_queues_and_busy_owners_are_told_when_to_come_back(connect: Connect, make_user: MakeUser) -> None:
    async with connect(max_owner_queue_depth=2, max_queue_depth=3) as client:
        theirs = await (await make_user()).sign_in(client)
        await submit(client)
        await submit(client)
        refused = await client.post(JOBS, json=ECHO)
        assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
        assert int(refused.headers["Retry-After"]) >= 1
        assert (await client.post(JOBS, json=ECHO, headers=theirs)).status_code == 202
        full = await client.post(JOBS, json=ECHO, headers=theirs)
        assert (full.status_code, full.json()["code"]) == (503, "unavailable")
        assert "MAX_QUEUE_DEPTH allows 3" in full.json()["detail"]
        batch = await client.post(f"{JOBS}/batch", json={"jobs": [ECHO]}, headers=theirs)
        assert batch.status_code == 503
