"""/metrics, /ready and /info of the api as operators and collectors meet them."""

from importlib.metadata import version
from uuid import UUID

import asyncpg
import httpx2
import pytest
from sqlalchemy import text

from common.config import CommonSettings
from common.container import CommonContainer
from common.database.revision import known_revisions
from common.events import EventType
from common.ids import new_id
from common.jobs.system_echo import SystemEchoPayload, system_echo
from common.repository.job import Owner
from tests.api.conftest import ACCESS_TOKEN, ECHO, PRODUCTION, Connect
from tests.fixtures.stores import Stores
from tests.fixtures.workers import Watcher, running_worker
from tests.metrics.conftest import Figures

SERVICE = {"Authorization": f"Bearer {ACCESS_TOKEN}"}
NO_POSTGRES = {"database_url": "postgresql://letuin@127.0.0.1:1/letuin"}


async def look(client: httpx2.AsyncClient) -> Figures:
    answer = await client.get("/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return Figures.read(answer.text)


async def test_the_api_tells_what_it_did(client: httpx2.AsyncClient, owner: Owner) -> None:
    job = (await client.post("/api/v1/jobs", json=ECHO)).json()
    await client.get(f"/api/v1/jobs/{job['id']}")
    await client.get(f"/api/v1/jobs/{new_id()}")
    await client.get("/nowhere")
    await client.post(f"/api/v1/jobs/{job['id']}/cancel")
    await client.request("BREW", "/nowhere")

    found = await look(client)
    assert found["letuin_http_requests_total", ("POST", "/api/v1/jobs", "202")] == 1
    assert found["letuin_http_requests_total", ("GET", "/api/v1/jobs/{job_id}", "200")] == 1
    assert found["letuin_http_requests_total", ("GET", "/api/v1/jobs/{job_id}", "404")] == 1
    assert found["letuin_http_requests_total", ("GET", "unmatched", "404")] == 1
    assert found["letuin_http_requests_total", ("other", "unmatched", "404")] == 1
    assert found["letuin_http_request_seconds_count", ("/api/v1/jobs/{job_id}",)] == 2
    assert found["letuin_jobs_submitted_total", ("system.echo", "default")] == 1
    assert found["letuin_jobs_finished_total", ("system.echo", "cancelled", "default")] == 1
    assert found["letuin_socket_clients", ()] == 0
    assert not [labels for _, labels in found.samples if job["id"] in labels]


async def test_what_waits_is_told_by_queue_state_and_reason(
    connect: Connect, container: CommonContainer, owner: Owner
) -> None:
    jobs = [
        await container.queue().submit(system_echo, SystemEchoPayload(message=str(number)), owner=owner)
        for number in range(5)
    ]
    async with container.sessions().begin() as db:
        for change in (
            f"run_at = now() - interval '1 hour' WHERE id = '{jobs[0].id}'",
            f"run_at = now() + interval '1 hour' WHERE id = '{jobs[1].id}'",
            f"run_at = now() + interval '1 hour', waiting = 'retry' WHERE id = '{jobs[2].id}'",
            f"pending_after = 1 WHERE id = '{jobs[3].id}'",
            f"waiting = 'concurrency' WHERE id = '{jobs[4].id}'",
        ):
            await db.execute(text(f"UPDATE jobs SET {change}"))
    async with connect() as client:
        found = await look(client)

    states = {labels: value for (name, labels), value in found.samples.items() if name == "letuin_jobs"}
    assert states == {("default", "queued"): 1, ("default", "scheduled"): 2, ("default", "blocked"): 2}
    blocked = {labels: value for (name, labels), value in found.samples.items() if name == "letuin_job_blocked"}
    assert blocked == {("schedule",): 1, ("retry",): 1, ("dependency",): 1, ("concurrency",): 1}
    assert 3600 <= found["letuin_job_oldest_queued_seconds", ("default",)] < 4000
    assert found["letuin_outbox_lag_seconds", ()] >= 0


async def test_events_and_their_replay_are_counted(
    client: httpx2.AsyncClient, settings: CommonSettings, watcher: Watcher
) -> None:
    job = (await client.post("/api/v1/jobs", json=ECHO)).json()
    async with running_worker(settings):
        await watcher.until(UUID(job["id"]), EventType.SUCCEEDED)
    async with client.stream(
        "GET", f"/api/v1/jobs/{job['id']}/events", headers={"Accept": "text/event-stream", "Last-Event-ID": "other:1"}
    ) as stream:
        assert stream.status_code == 200
        await stream.aread()

    found = await look(client)
    assert found["letuin_relay_lag_seconds_count", ()] >= 1
    assert found["letuin_event_replays_total", ("false",)] >= 1


async def test_figures_do_without_postgres(connect: Connect) -> None:
    async with connect(**NO_POSTGRES) as client:
        found = await look(client)

    assert found["letuin_figures_failed_total", ()] == 1
    assert not [name for name, _ in found.samples if name == "letuin_jobs"]


@pytest.mark.parametrize(
    ("access", "headers", "status"),
    [
        ("operators", {}, 401),
        ("operators", SERVICE, 200),
        ("public", {}, 200),
        ("off", {}, 404),
        ("off", SERVICE, 404),
    ],
)
async def test_metrics_are_for_whom_the_setting_names(
    connect: Connect, access: str, headers: dict[str, str], status: int
) -> None:
    async with connect(**PRODUCTION, metrics_access=access) as client:
        assert (await client.get("/metrics", headers=headers)).status_code == status


@pytest.mark.parametrize(
    ("revision", "state", "status"),
    [
        (known_revisions()[-1], "current", 200),
        (known_revisions()[-2], "older", 503),
        ("9999", "newer", 200),
        (None, "missing", 503),
    ],
)
async def test_ready_tells_how_the_database_stands_to_the_release(
    connect: Connect, stores: Stores, revision: str | None, state: str, status: int
) -> None:
    database = await asyncpg.connect(stores.database_url)
    kept = await database.fetchval("SELECT version_num FROM alembic_version")
    try:
        await database.execute("UPDATE alembic_version SET version_num = $1", revision or "")
        if revision is None:
            await database.execute("DELETE FROM alembic_version")
        async with connect() as client:
            answer = await client.get("/ready")
    finally:
        await database.execute("DELETE FROM alembic_version")
        await database.execute("INSERT INTO alembic_version VALUES ($1)", kept)
        await database.close()

    assert answer.status_code == status
    assert answer.json()["migration"] == state
    assert answer.json()["services"]["postgres"] == "healthy"


async def test_info_tells_the_release_and_nothing_secret(connect: Connect) -> None:
    async with connect(**PRODUCTION, letuin_commit="abc1234", max_page_limit=77) as client:
        assert (await client.get("/info")).status_code == 401
        answer = await client.get("/info", headers=SERVICE)

    info = answer.json()
    assert (info["version"], info["commit"], info["environment"]) == (version("letuin"), "abc1234", "production")
    assert info["revision"] == known_revisions()[-1]
    assert info["kinds"]["system.echo"] == "default"
    assert "webhook.deliver" not in info["kinds"]
    assert info["limits"]["max_page_limit"] == 77
    assert not any(word in answer.text for word in ("postgresql://", "redis://", ACCESS_TOKEN))
