"""The request log over HTTP: what is kept of a request, who may read it, and life without MongoDB."""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from common.container import CommonContainer
from common.ids import new_id
from common.repository.user import DEFAULT_TENANT_ID, LOCAL_USER, SERVICE_USER
from tests.api.conftest import ACCESS_TOKEN, ECHO, JWT_SECRET, PRODUCTION, Account, Connect, MakeUser
from tests.faults.proxy import TcpProxy
from tests.fixtures.mongo import connected, database_url

LOGS = "/api/v1/logs"
QUICK = {"request_log_flush_interval": 0.05}
SECRET = "sk-abcdefghijklmnop"

type Entry = dict[str, Any]


@pytest.fixture
async def client(connect: Connect, mongodb_url: str) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of an api that keeps a request log."""
    async with connect(mongodb_url=mongodb_url, **QUICK) as client:
        yield client


async def find(client: httpx2.AsyncClient, request_id: str, **headers: str) -> Entry:
    """The entry of a request, when it has been written."""
    async with asyncio.timeout(60):
        while True:
            answer = await client.get(LOGS, params={"request_id": request_id}, headers=headers)
            if answer.status_code == 200 and answer.json()["items"]:
                (entry,) = answer.json()["items"]
                return dict(entry)
            await asyncio.sleep(0.02)


def marked(request_id: str, **headers: str) -> dict[str, str]:
    return {"X-Request-ID": request_id, **headers}


async def promote(container: CommonContainer, account: Account, role: str) -> None:
    async with container.sessions().begin() as db:
        await db.execute(text("UPDATE users SET role = :role WHERE id = :id"), {"role": role, "id": account.id})


async def test_an_answered_request_is_kept(client: httpx2.AsyncClient) -> None:
    before = datetime.now(UTC)
    answer = await client.post("/api/v1/jobs", params={"secret": "query"}, json=ECHO, headers=marked("submit"))
    await client.get(answer.headers["Location"], headers=marked("read"))

    entry, read = await find(client, "submit"), await find(client, "read")

    came = datetime.fromisoformat(entry.pop("ts"))
    assert before - timedelta(milliseconds=2) <= came <= datetime.now(UTC)
    assert entry.pop("id")
    assert 0 < entry.pop("duration_ms") < 30_000
    assert entry == {
        "method": "POST",
        "route": "/api/v1/jobs",
        "path": "/api/v1/jobs",
        "status": 202,
        "request_id": "submit",
        "user_id": str(LOCAL_USER.id),
        "tenant_id": str(DEFAULT_TENANT_ID),
        "request_bytes": int(answer.request.headers["Content-Length"]),
        "response_bytes": len(answer.content),
        "error_code": None,
    }
    assert (read["route"], read["path"]) == ("/api/v1/jobs/{job_id}", answer.headers["Location"])


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", f"/api/v1/jobs/{LOCAL_USER.id}", 404, "not_found"),
        ("POST", "/api/v1/jobs", 422, "invalid"),
        ("GET", "/api/v1/logs?limit=0", 422, "invalid"),
    ],
)
async def test_errors_are_kept_with_their_code(
    client: httpx2.AsyncClient, method: str, path: str, status: int, code: str
) -> None:
    answer = await client.request(method, path, headers=marked("wrong"))
    entry = await find(client, "wrong")
    assert (answer.status_code, entry["status"], entry["error_code"]) == (status, status, code)


async def test_pages_tell_each_request_once(client: httpx2.AsyncClient) -> None:
    for _ in range(3):
        await client.post("/api/v1/jobs", json=ECHO, headers=marked("thrice"))
    await client.post("/api/v1/jobs", json=ECHO, headers=marked("after"))
    await find(client, "after")
    wanted = {"request_id": "thrice", "limit": "2"}
    first = await client.get(LOGS, params=wanted)
    second = (await client.get(LOGS, params={**wanted, "cursor": first.json()["next_cursor"]})).json()
    other = await client.get(LOGS, params={"cursor": first.json()["next_cursor"]})

    items = [*first.json()["items"], *second["items"]]
    assert len({each["id"] for each in items}) == len(items) == 3
    assert [each["ts"] for each in items] == sorted((each["ts"] for each in items), reverse=True)
    assert first.headers["Link"].endswith('rel="next"')
    assert second["next_cursor"] is None
    assert (other.status_code, other.json()["code"]) == (422, "invalid")


async def test_nothing_secret_is_kept(connect: Connect, mongodb_url: str) -> None:
    body = {"kind": "system.echo", "payload": {"message": f"body {SECRET}"}}
    token = {"Authorization": f"Bearer {ACCESS_TOKEN}"}
    hidden = {**marked("hidden", **token), "Cookie": f"session={SECRET}", "User-Agent": SECRET}
    async with connect(mongodb_url=mongodb_url, **PRODUCTION, **QUICK) as client:
        await client.post("/api/v1/jobs", params={"token": SECRET}, json=body, headers=hidden)
        await client.get(f"/api/v1/jobs/{SECRET}", headers=marked("in-path", **token))
        await find(client, "hidden", **token)
        await find(client, "in-path", **token)

    async with connected(mongodb_url) as database:
        kept = str([document async for document in database["request_log"].find({})])
    assert "hidden" in kept
    assert not [secret for secret in (SECRET, ACCESS_TOKEN, JWT_SECRET) if secret in kept]


async def test_probes_are_not_kept(client: httpx2.AsyncClient) -> None:
    for path in ("/health", "/live", "/ready"):
        await client.get(path)
    await client.get("/api/v1/users/me", headers=marked("last"))
    await find(client, "last")

    routes = {entry["route"] for entry in (await client.get(LOGS)).json()["items"]}
    assert "/api/v1/users/me" in routes
    assert not routes & {"/health", "/live", "/ready"}


async def test_users_see_their_own_and_operators_the_tenants(
    client: httpx2.AsyncClient, make_user: MakeUser, container: CommonContainer
) -> None:
    ada, bob = await make_user(email="ada@example.com"), await make_user(email="bob@example.com")
    for_ada, for_bob = await ada.sign_in(client), await bob.sign_in(client)
    await client.get("/api/v1/users/me", headers=marked("by-ada", **for_ada))
    await client.get("/api/v1/users/me", headers=marked("by-bob", **for_bob))
    await find(client, "by-ada", **for_ada)
    await find(client, "by-bob", **for_bob)

    mine = (await client.get(LOGS, headers=for_ada)).json()["items"]
    assert {entry["user_id"] for entry in mine} == {str(ada.id)}
    assert (await client.get(LOGS, params={"request_id": "by-bob"}, headers=for_ada)).json()["items"] == []

    for role in ("operator", "admin"):
        await promote(container, ada, role)
        for_ada = await ada.sign_in(client)  # what was proved of the old token is remembered for a moment
        seen = (await client.get(LOGS, headers=for_ada)).json()["items"]
        assert {str(ada.id), str(bob.id)} <= {entry["user_id"] for entry in seen}
        assert [entry["ts"] for entry in seen] == sorted((entry["ts"] for entry in seen), reverse=True)
        assert (await find(client, "by-bob", **for_ada))["user_id"] == str(bob.id)


async def test_operators_of_another_tenant_see_nothing(
    client: httpx2.AsyncClient, make_user: MakeUser, container: CommonContainer
) -> None:
    eve = await make_user(email="eve@example.com")
    await promote(container, eve, "operator")
    tenant = new_id()
    async with container.sessions().begin() as db:
        await db.execute(text("INSERT INTO tenants (id, name) VALUES (:tenant, 'other')"), {"tenant": tenant})
        await db.execute(text("UPDATE users SET tenant_id = :tenant WHERE id = :id"), {"tenant": tenant, "id": eve.id})
    for_eve = await eve.sign_in(client)
    await client.get("/api/v1/users/me", headers=marked("of-default"))
    await find(client, "of-default")

    assert (await client.get(LOGS, params={"request_id": "of-default"}, headers=for_eve)).json()["items"] == []
    seen = (await client.get(LOGS, headers=for_eve)).json()["items"]
    assert {entry["tenant_id"] for entry in seen} <= {str(tenant)}


async def test_production_keeps_who_passed_the_gate(connect: Connect, mongodb_url: str) -> None:
    async with connect(mongodb_url=mongodb_url, **PRODUCTION, **QUICK) as client:
        token = {"Authorization": f"Bearer {ACCESS_TOKEN}"}
        refused = await client.get("/api/v1/users/me", headers=marked("refused"))
        await client.get("/api/v1/users/me", headers=marked("passed", **token))

        entry = await find(client, "passed", **token)
        assert entry["user_id"] == str(SERVICE_USER.id)
        assert refused.status_code == (await client.get(LOGS)).status_code == 401


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "201"}, "limit"),
        ({"since": "yesterday"}, "since"),
        ({"since": "2030-01-01T00:00:00"}, "since"),
        ({"since": "2999-01-01T00:00:00Z"}, "since"),
        ({"since": "0001-01-01T00:00:00+09:00"}, "since"),
        ({"until": "0001-01-01T00:00:00+09:00"}, "until"),
        ({"since": "2025-01-02T00:00:00Z", "until": "2025-01-01T00:00:00Z"}, "since"),
        ({"since": "2025-01-01T00:00:00Z", "until": "2025-01-02T00:00:01Z"}, "since"),
        ({"since": "2025-01-01T00:00:00Z"}, "since"),
        ({"request_id": "x" * 129}, "request_id"),
    ],
)
async def test_windows_are_bounded(client: httpx2.AsyncClient, params: dict[str, str], field: str) -> None:
    answer = await client.get(LOGS, params=params)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["path"] == ["query", field]


@pytest.mark.parametrize("until", ["9999-12-31T23:59:59-12:00", None])
async def test_window_and_limit_choose(client: httpx2.AsyncClient, until: str | None) -> None:
    for number in range(3):
        await client.get("/api/v1/users/me", headers=marked(f"me-{number}"))
    first, last = await find(client, "me-0"), await find(client, "me-2")
    window = {"since": first["ts"], "until": last["ts"]} if until is None else {"until": until}

    seen = (await client.get(LOGS, params={**window, "limit": "100"})).json()["items"]
    ids = {entry["request_id"] for entry in seen}
    assert ("me-0" in ids, "me-2" in ids) == (True, until is not None)
    assert len((await client.get(LOGS, params={**window, "limit": "1"})).json()["items"]) == 1


async def test_without_a_url_there_is_no_log(connect: Connect) -> None:
    async with connect() as client:
        answer = await client.get(LOGS)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        assert "MONGODB_URL" in answer.json()["detail"]
        assert "mongodb" not in (await client.get("/health")).json()["services"]


def test_without_a_url_the_driver_is_not_loaded() -> None:
    code = "import sys, api.main; print({'motor', 'pymongo', 'beanie', 'bson'} & set(sys.modules))"
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[2], check=True
    )
    assert found.stdout.strip() == "set()"


async def test_requests_are_served_and_kept_while_mongodb_is_away(connect: Connect, mongo_port: int) -> None:
    async with TcpProxy(mongo_port) as proxy:
        proxy.faults.refuses = True
        async with connect(mongodb_url=database_url(proxy.port), **QUICK) as client:
            assert (await client.post("/api/v1/jobs", json=ECHO, headers=marked("early"))).status_code == 202
            refused = await client.get(LOGS)
            assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
            health = await client.get("/health")
            assert (health.status_code, health.json()["status"]) == (200, "degraded")
            assert health.json()["services"]["mongodb"] == "unhealthy"

            proxy.faults.refuses = False
            assert (await find(client, "early"))["status"] == 202
            assert (await client.get("/health")).json()["services"]["mongodb"] == "healthy"


async def test_a_silent_mongodb_slows_no_request(connect: Connect, mongo_port: int) -> None:
    async with TcpProxy(mongo_port) as proxy:
        settings = {"request_log_max_queued": 20, "request_log_stop_timeout": 0.2, **QUICK}
        async with connect(mongodb_url=database_url(proxy.port), **settings) as client:
            await client.get("/api/v1/users/me", headers=marked("first"))
            await find(client, "first")
            proxy.silence()
            slowest = 0.0
            for _ in range(60):
                started = time.perf_counter()
                assert (await client.get("/api/v1/users/me")).status_code == 200
                slowest = max(slowest, time.perf_counter() - started)
            assert slowest < 10
            stopping = time.perf_counter()
        assert time.perf_counter() - stopping < 20
        proxy.speak()
