"""Why a job waits: every reason is provoked and read over HTTP."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from common import jobs
from common.config import CommonSettings
from common.container import CommonContainer
from common.ids import new_id
from common.jobs.system_sleep import SystemSleepPayload, system_sleep
from common.queue.client import SubmitOptions
from common.queue.limits import ConcurrencyLimit
from common.queue.waiting import WaitReason
from common.repository.job import Owner
from common.repository.user import DEFAULT_TENANT_ID, LOCAL_USER
from common.repository.worker import Incarnation, WorkerRepository
from tests.api.conftest import ECHO, PRODUCTION, Connect, MakeUser
from tests.faults.kinds.wayward import WaywardPayload, wayward
from tests.fixtures.workers import running_worker

JOBS = "/api/v1/jobs"
KINDS = Path(__file__).parents[1] / "faults" / "kinds"
SLEEP = {"kind": "system.sleep", "payload": {"seconds": 60}}
LOCAL = Owner(DEFAULT_TENANT_ID, LOCAL_USER.id)


async def submit(client: httpx2.AsyncClient, body: dict[str, Any] = ECHO, **changes: Any) -> str:
    answer = await client.post(JOBS, json={**body, **changes})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


async def explain(client: httpx2.AsyncClient, job_id: str) -> dict[str, Any]:
    """The close look. What the job itself says must not contradict it."""
    answer = await client.get(f"{JOBS}/{job_id}/waiting")
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    shown = (await client.get(f"{JOBS}/{job_id}")).json()
    [listed] = [job for job in (await client.get(JOBS)).json()["items"] if job["id"] == job_id]
    assert shown["waiting"] == listed["waiting"] == told["waiting"], "each look tells the same"
    return told


@pytest.fixture
async def worker(container: CommonContainer) -> None:
    """A worker that has registered for the default queue and takes nothing."""
    incarnation = Incarnation(new_id(), "host-a", "boot-1", 4711, ("default",), 20)
    async with container.engine().begin() as db:
        await WorkerRepository().register(db, incarnation, timedelta(seconds=60))


async def until(client: httpx2.AsyncClient, job_id: str, **wanted: Any) -> None:
    """Until the job has these values."""
    async with asyncio.timeout(60):
        while True:
            job = (await client.get(f"{JOBS}/{job_id}")).json()
            if wanted.items() <= {name: job[name] for name in wanted}.items():
                return
            await asyncio.sleep(0.02)


async def test_nobody_serves_its_queue(client: httpx2.AsyncClient) -> None:
    told = await explain(client, await submit(client))
    assert told["waiting"] == {"reason": "no_worker", "until": None, "message": None}
    assert told["queue"] == {
        "name": "default",
        "is_paused": False,
        "workers": 0,
        "slots": 0,
        "ended_per_minute": None,
    }
    assert (told["position"], told["is_position_exact"], told["estimate"]) == (1, True, None)


async def test_its_queue_is_paused(client: httpx2.AsyncClient, worker: None) -> None:
    await client.post("/api/v1/ops/queues/default/pause")
    told = await explain(client, await submit(client))
    assert (told["waiting"]["reason"], told["queue"]["is_paused"], told["estimate"]) == ("paused", True, None)


async def test_others_are_before_it(client: httpx2.AsyncClient, container: CommonContainer, worker: None) -> None:
    done = await submit(client)
    async with container.engine().begin() as db:
        await db.execute(
            text("""UPDATE jobs SET status = 'running', attempt = 1, lease_owner = id, started_at = now()
                    WHERE id = :id"""),
            {"id": done},
        )
        ended = "UPDATE jobs SET status = 'succeeded', lease_owner = NULL, finished_at = now() - interval '30 s'"
        await db.execute(text(f"{ended} WHERE id = :id"), {"id": done})
    first, second = await submit(client), await submit(client)
    urgent = await submit(client, priority=5)
    places = {job: await explain(client, job) for job in (urgent, first, second)}
    assert [(told["waiting"]["reason"], told["position"]) for told in places.values()] == [
        ("queue", 1),
        ("queue", 2),
        ("queue", 3),
    ]
    assert places[urgent]["estimate"] == 0
    assert places[second]["estimate"] == pytest.approx(60, abs=20), "one job ended in 30 s, two are before it"
    assert places[second]["queue"]["ended_per_minute"] == pytest.approx(2, abs=0.7)
    assert (places[second]["queue"]["workers"], places[second]["queue"]["slots"]) == (1, 20)


async def test_counting_stops_in_a_deep_queue(
    client: httpx2.AsyncClient, container: CommonContainer, worker: None
) -> None:
    first, last = await submit(client), await submit(client)
    columns = "tenant_id, owner_id, kind, queue, payload, max_attempts, timeout, run_at, next_dispatch_at"
    copies = f"""INSERT INTO jobs (id, rank_at, {columns}) SELECT gen_random_uuid(), rank_at, {columns}
                 FROM jobs, generate_series(1, 10000) WHERE id = :id"""
    async with container.engine().begin() as db:
        await db.execute(text(copies), {"id": first})
    told = await explain_alone(client, last)
    assert (told["position"], told["is_position_exact"], told["estimate"]) == (10_000, False, None)


async def explain_alone(client: httpx2.AsyncClient, job_id: str) -> dict[str, Any]:
    return dict((await client.get(f"{JOBS}/{job_id}/waiting")).json())


async def test_its_time_has_not_come(client: httpx2.AsyncClient) -> None:
    job = await submit(client, delay=90)
    told = await explain(client, job)
    assert told["waiting"]["reason"] == "schedule"
    assert told["waiting"]["until"] == (await client.get(f"{JOBS}/{job}")).json()["run_at"]
    assert told["estimate"] == pytest.approx(90, abs=30)
    assert told["position"] is None, "it stands in no line yet"


async def test_it_waits_for_other_jobs(client: httpx2.AsyncClient, worker: None) -> None:
    first, second = await submit(client, SLEEP), await submit(client)
    told = await explain(client, await submit(client, after=[first, second], on_failure="cancel"))
    assert (told["waiting"]["reason"], told["position"], told["estimate"]) == ("dependency", None, None)
    kinds = {"system.sleep": first, "system.echo": second}
    assert told["awaits"] == [
        {"id": job, "kind": kind, "status": "queued", "on_failure": "cancel"} for kind, job in kinds.items()
    ]


async def test_a_limit_is_taken(
    client: httpx2.AsyncClient, container: CommonContainer, settings: CommonSettings
) -> None:
    options = SubmitOptions(concurrency=ConcurrencyLimit("report", 1))

    async def submit_limited() -> str:
        payload = SystemSleepPayload(seconds=60)
        return str((await container.queue().submit(system_sleep, payload, owner=LOCAL, options=options)).id)

    async with running_worker(settings):
        holder = await submit_limited()
        await until(client, holder, status="running")
        job = await submit_limited()
        await until(client, job, waiting={"reason": "concurrency", "until": None, "message": None})
        told = await explain(client, job)
        await client.post(f"{JOBS}/{job}/cancel")
        await client.post(f"{JOBS}/{holder}/cancel")
    assert told["waiting"]["reason"] == "concurrency"
    assert told["limits"] == [{"scope": "key", "key": "report", "limit": 1, "running": 1, "holders": [holder]}]
    assert told["estimate"] is None, "the end of the holder is not known"


@pytest.mark.parametrize(
    ("note", "reason", "message"),
    [
        ("not yet", WaitReason.SNOOZED, "not yet"),
        ("mail_limit", WaitReason.RATE, None),
        ("rate: 20 requests a minute are used up", WaitReason.RATE, "20 requests a minute are used up"),
        ("budget: 5.00 of 5.00 are spent", WaitReason.BUDGET, "5.00 of 5.00 are spent"),
        ("cooldown: the provider failed 3 times", WaitReason.COOLDOWN, "the provider failed 3 times"),
    ],
)
async def test_a_handler_put_it_off(
    client: httpx2.AsyncClient,
    container: CommonContainer,
    settings: CommonSettings,
    monkeypatch: pytest.MonkeyPatch,
    note: str,
    reason: WaitReason,
    message: str | None,
) -> None:
    monkeypatch.setattr(jobs, "__path__", [*jobs.__path__, str(KINDS)])
    payload = WaywardPayload(steps=["snooze"], delay=90, reason=note)
    async with running_worker(settings):
        job = str((await container.queue().submit(wayward, payload, owner=LOCAL)).id)
        await until(client, job, attempt=1, status="queued")
    told = await explain(client, job)
    assert (told["waiting"]["reason"], told["waiting"]["message"]) == (reason, message)
    assert told["estimate"] == pytest.approx(90, abs=30)


async def test_a_retry_and_a_kind_of_another_release_wait_for_their_time(
    client: httpx2.AsyncClient, container: CommonContainer, settings: CommonSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    payload = WaywardPayload(steps=["retry_after"], delay=90)
    async with running_worker(settings):
        unknown = str((await container.queue().submit(wayward, payload, owner=LOCAL)).id)
        await until(client, unknown, attempt=1, status="queued")
    monkeypatch.setattr(jobs, "__path__", [*jobs.__path__, str(KINDS)])
    async with running_worker(settings):
        retried = str((await container.queue().submit(wayward, payload, owner=LOCAL)).id)
        await until(client, retried, attempt=1, status="queued")
    assert (await explain(client, unknown))["waiting"]["reason"] == "unknown_kind"
    assert (await explain(client, retried))["waiting"]["reason"] == "retry"


async def test_a_job_that_does_not_wait_has_no_reason(client: httpx2.AsyncClient) -> None:
    job = await submit(client)
    await client.post(f"{JOBS}/{job}/cancel")
    told = await explain_alone(client, job)
    assert told == {
        "job_id": job,
        "status": "cancelled",
        "waiting": None,
        "queue": None,
        "position": None,
        "is_position_exact": False,
        "estimate": None,
        "awaits": [],
        "limits": [],
    }


async def test_the_token_of_one_job_learns_of_no_other(
    connect: Connect, make_user: MakeUser, settings: CommonSettings
) -> None:
    async with connect(**PRODUCTION) as client:
        client.headers |= await (await make_user()).sign_in(client)
        first = await submit(client, SLEEP)
        job = await submit(client, after=[first])
        token = (await client.post(f"{JOBS}/{job}/token", json={"actions": ["read"]})).json()["token"]
        bearer = {"Authorization": f"Bearer {token}"}
        told = (await client.get(f"{JOBS}/{job}/waiting", headers=bearer)).json()
        assert (told["waiting"]["reason"], told["awaits"]) == ("dependency", [])
        assert (await client.get(f"{JOBS}/{first}/waiting", headers=bearer)).status_code == 404
