"""Who may come in: login, the gate of production, open environments."""

import json
from typing import Any

import httpx2
import pytest
from passlib.hash import argon2  # type: ignore[import-untyped]
from sqlalchemy import text

from common.container import CommonContainer
from common.repository.user import LOCAL_USER, SERVICE_USER
from tests.api.conftest import ACCESS_TOKEN, ECHO, PRODUCTION, Connect, MakeUser

ME = "/api/v1/users/me"
LOGIN = "/api/v1/auth/login"


async def status_with(client: httpx2.AsyncClient, token: str) -> int:
    return (await client.get(ME, headers={"Authorization": f"Bearer {token}"})).status_code


async def test_login_gives_a_token_that_names_the_user(client: httpx2.AsyncClient, make_user: MakeUser) -> None:
    account = await make_user(email="ada@example.com")
    answer = await client.post(LOGIN, json={"email": "ADA@Example.com", "password": account.password})

    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    body = answer.json()
    assert (body["token_type"], body["expires_in"]) == ("bearer", 3600)
    me = (await client.get(ME, headers={"Authorization": f"bearer {body['access_token']}"})).json()
    assert (me["id"], me["email"], me["role"]) == (str(account.id), "ada@example.com", "user")
    assert "password" not in str(me)


async def test_failed_logins_look_alike(
    client: httpx2.AsyncClient, make_user: MakeUser, container: CommonContainer
) -> None:
    account = await make_user()
    retired = await make_user(email="old@example.com")
    async with container.sessions().begin() as db:
        await db.execute(text("UPDATE users SET is_active = false WHERE id = :id"), {"id": retired.id})
    attempts = [
        (account.email, "wrong password"),
        ("nobody@example.com", account.password),
        (retired.email, retired.password),
        (LOCAL_USER.email, "any password"),
    ]
    for email, password in attempts:
        answer = await client.post(LOGIN, json={"email": email, "password": password})
        assert (answer.status_code, answer.json()["detail"]) == (401, "Invalid email or password")


async def test_login_replaces_a_weak_hash(
    client: httpx2.AsyncClient, make_user: MakeUser, container: CommonContainer
) -> None:
    account = await make_user()
    weak = argon2.using(type="ID", memory_cost=64, time_cost=1, parallelism=1).hash(account.password)
    async with container.sessions().begin() as db:
        await db.execute(text("UPDATE users SET password_hash = :h WHERE id = :id"), {"h": weak, "id": account.id})

    await account.sign_in(client)

    async with container.sessions()() as db:
        stored = (await db.execute(text("SELECT password_hash FROM users WHERE id = :id"), {"id": account.id})).scalar()
    assert str(stored).startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    await account.sign_in(client)


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"email": "a@b.c"},
        {"email": "a\x00@b.c", "password": "x"},
        {"email": "a@b.c", "password": "x", "more": 1},
        {"email": "a@b.c", "password": "x" * 1025},
        {"email": "a@b.c", "password": "\ud800"},
    ],
)
async def test_malformed_login_is_422_without_the_password(client: httpx2.AsyncClient, body: Any) -> None:
    answer = await client.post(LOGIN, content=json.dumps(body), headers={"Content-Type": "application/json"})

    assert answer.status_code == 422
    assert "xx" not in answer.text


async def test_token_dies_with_the_account(
    client: httpx2.AsyncClient, make_user: MakeUser, container: CommonContainer
) -> None:
    account = await make_user()
    headers = await account.sign_in(client)
    async with container.sessions().begin() as db:
        await db.execute(text("UPDATE users SET token_version = token_version + 1"))
    assert (await client.get(ME, headers=headers)).status_code == 401


@pytest.mark.parametrize(
    ("header", "detail"),
    [
        (None, "Authorization header required"),
        ("", "Invalid authorization header format"),
        ("Bearer", "Invalid authorization header format"),
        ("Bearer ", "Invalid authorization header format"),
        ("Bearer two words", "Invalid authorization header format"),
        (f"Basic {ACCESS_TOKEN}", "Invalid authorization header format"),
        (ACCESS_TOKEN, "Invalid authorization header format"),
        ("Bearer wrong", "Invalid access token"),
        (f"Bearer {ACCESS_TOKEN}x", "Invalid access token"),
    ],
)
async def test_gate_of_production(connect: Connect, header: str | None, detail: str) -> None:
    headers = {"X-Request-ID": "gate-1"} | ({} if header is None else {"Authorization": header})
    async with connect(**PRODUCTION) as client:
        for method, path in (("GET", "/api/v1/jobs"), ("POST", "/api/v1/jobs"), ("GET", "/no/such/path")):
            answer = await client.request(method, path, headers=headers)

            assert (answer.status_code, answer.json()["detail"]) == (401, detail)
            assert answer.json()["request_id"] == answer.headers["X-Request-ID"] == "gate-1"
            assert answer.headers["WWW-Authenticate"] == "Bearer"
            assert answer.headers["Content-Type"] == "application/problem+json"


async def test_production_lets_the_right_ones_in(connect: Connect, make_user: MakeUser) -> None:
    account = await make_user()
    async with connect(**PRODUCTION) as client:
        for path in ("/health", "/live", "/ready"):
            assert (await client.get(path)).status_code == 200, path
        assert (await client.get("/favicon.ico")).status_code == 404
        theirs = await account.sign_in(client)
        static = {"Authorization": f"Bearer {ACCESS_TOKEN}"}

        mine = await client.post("/api/v1/jobs", json=ECHO, headers=static)

        assert (await client.get(ME, headers=static)).json()["id"] == str(SERVICE_USER.id)
        assert (await client.get(ME, headers=theirs)).json()["id"] == str(account.id)
        assert (await client.get(mine.headers["Location"], headers=static)).status_code == 200
        assert (await client.get(mine.headers["Location"], headers=theirs)).status_code == 404
        assert (await client.get(LOGIN)).status_code == 401
        assert (await client.get("/health/")).status_code == 401


async def test_staging_needs_a_token_too(connect: Connect, make_user: MakeUser) -> None:
    account = await make_user()
    async with connect(environment="staging") as client:
        assert (await client.get(ME)).json()["detail"] == "Authorization header required"
        assert (await client.get(ME, headers=await account.sign_in(client))).status_code == 200


async def test_open_environment_has_a_local_user_but_checks_given_tokens(client: httpx2.AsyncClient) -> None:
    assert (await client.get(ME)).json()["id"] == str(LOCAL_USER.id)
    assert await status_with(client, "wrong") == 401
    assert await status_with(client, ACCESS_TOKEN) == 401


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", ""])
async def test_open_server_refuses_borrowed_browsers(client: httpx2.AsyncClient, host: str) -> None:
    answer = await client.get(ME, headers={"Host": host})

    assert answer.status_code == 403
    assert "ALLOW_OPEN_ACCESS_FROM_NETWORK" in answer.json()["detail"]


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1:1", "[::1]", "[::1]:8000"])
async def test_open_server_answers_this_machine(client: httpx2.AsyncClient, host: str) -> None:
    assert (await client.get("/api/v1/jobs", headers={"Host": host})).status_code == 200


async def test_open_server_can_be_opened_to_the_network(connect: Connect) -> None:
    async with connect(allow_open_access_from_network=True) as client:
        assert (await client.get("/api/v1/jobs", headers={"Host": "box.lan"})).status_code == 200
