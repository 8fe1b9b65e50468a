"""Security events: a line and a row each, for those who watch over a tenant, and nothing secret in any sink."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx2
import pytest
from loguru import logger
from redis.asyncio import Redis
from sqlalchemy import text

from common.container import CommonContainer
from common.ids import new_id
from tests.api.conftest import ACCESS_TOKEN, ECHO, PRODUCTION, Connect, MakeUser
from tests.fixtures.stores import Stores
from tests.security.members import MakeMember
from tests.security.world import bearer

AUDIT, USERS, KEYS = "/api/v1/audit", "/api/v1/users", "/api/v1/api-keys"


async def eventually[T](ask: Callable[[], Awaitable[T]], is_right: Callable[[T], bool]) -> T:
    """The first answer that is right; rows are written beside the requests."""
    async with asyncio.timeout(60):
        while True:
            answer = await ask()
            if is_right(answer):
                return answer
            await asyncio.sleep(0.02)


async def events(client: httpx2.AsyncClient, headers: dict[str, str], **wanted: Any) -> list[dict[str, Any]]:
    answer = await client.get(AUDIT, params=wanted, headers=headers)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """Everything that is logged, as text."""
    written: list[str] = []
    sink = logger.add(lambda line: written.append(str(line)), level=0, format="{name} {message} {extra}")
    yield written
    logger.remove(sink)


async def test_what_an_admin_does_is_a_line_and_a_row(
    client: httpx2.AsyncClient, make_member: MakeMember, lines: list[str]
) -> None:
    admin, user = await make_member("admin"), await make_member()
    headers = {**admin.headers, "X-Request-ID": "audit-1"}
    await client.patch(f"{USERS}/{user.id}", json={"role": "operator"}, headers=headers)

    [event] = await eventually(lambda: events(client, admin.headers, event="user.update"), lambda found: bool(found))

    assert event["target"] == f"user:{user.id}"
    assert (event["actor_id"], event["outcome"], event["request_id"]) == (str(admin.id), "success", "audit-1")
    assert event["details"] == {"role": "operator"}
    assert len([line for line in lines if "user.update" in line]) == 1


async def test_refused_tokens_are_noted_once_a_second_however_many(
    connect: Connect, make_member: MakeMember, lines: list[str]
) -> None:
    admin = await make_member("admin")
    async with connect(**PRODUCTION) as client:
        for number in range(20):
            await client.get(USERS, headers={**bearer(f"wrong-{number}"), "X-Request-ID": f"guess-{number}"})
        noted = await eventually(
            lambda: events(client, admin.headers, event="access.refused"), lambda found: bool(found)
        )
    assert len(noted) < 5
    assert (noted[0]["outcome"], noted[0]["actor_id"]) == ("denied", None)
    refused = [line for line in lines if "Access refused" in line]
    assert len(refused) == 20
    assert all(f"guess-{number}" in line and "middleware.bearer_auth" in line for number, line in enumerate(refused))


async def test_what_may_not_be_done_is_noted_for_each_caller(
    connect: Connect, make_member: MakeMember, lines: list[str]
) -> None:
    admin, curious, other = await make_member("admin"), await make_member(), await make_member()
    async with connect(**PRODUCTION) as client:
        for _ in range(20):
            await client.get(USERS, headers={**curious.headers, "X-Request-ID": "curious-1"})
        await client.post("/api/v1/tenants", json={"name": "mine"}, headers=other.headers)
        noted = await eventually(
            lambda: events(client, admin.headers, event="access.denied"),
            lambda found: {each["actor_id"] for each in found} == {str(curious.id), str(other.id)},
        )
    theirs = [event for event in noted if event["actor_id"] == str(curious.id)]
    assert len(theirs) < 10
    assert (theirs[-1]["outcome"], theirs[-1]["request_id"]) == ("denied", "curious-1")
    assert (theirs[-1]["details"]["method"], theirs[-1]["details"]["path"]) == ("GET", USERS)
    assert len([line for line in lines if "Access denied" in line]) == 21


async def test_pages_and_filters(client: httpx2.AsyncClient, make_member: MakeMember) -> None:
    admin = await make_member("admin")
    for _ in range(5):
        made = await client.post(KEYS, json={"name": "k", "scopes": ["jobs:read"]}, headers=admin.headers)
    target = f"key:{made.json()['id']}"
    await eventually(lambda: events(client, admin.headers), lambda found: len(found) == 5)

    first = await client.get(AUDIT, params={"limit": 3}, headers=admin.headers)
    rest = await client.get(first.headers["Link"].split(";")[0].strip("<>"), headers=admin.headers)

    assert [len(page.json()["items"]) for page in (first, rest)] == [3, 2]
    assert rest.json()["next_cursor"] is None
    assert [event["target"] for event in await events(client, admin.headers, target=target)] == [target]
    assert await events(client, admin.headers, actor_id=str(new_id())) == []
    assert await events(client, admin.headers, until="2026-01-01T00:00:00Z") == []
    stolen = {"cursor": first.json()["next_cursor"], "limit": 3}
    colleague = await make_member("admin")
    assert (await client.get(AUDIT, params=stolen, headers=colleague.headers)).status_code == 422


async def test_tenants_do_not_see_each_other(client: httpx2.AsyncClient, make_member: MakeMember) -> None:
    admin, stranger = await make_member("admin"), await make_member("admin", tenant_id=new_id())
    for who in (admin, stranger):
        await client.post(KEYS, json={"name": "k", "scopes": ["jobs:read"]}, headers=who.headers)
    for who in (admin, stranger):
        found = await eventually(lambda: events(client, who.headers), lambda found: bool(found))  # noqa: B023
        assert {event["actor_id"] for event in found} == {str(who.id)}


async def test_events_wait_for_postgres(
    client: httpx2.AsyncClient, make_member: MakeMember, container: CommonContainer
) -> None:
    admin = await make_member("admin")
    async with container.engine().begin() as db:
        await db.execute(text("ALTER TABLE audit_events RENAME TO audit_events_away"))
    try:
        made = await client.post(KEYS, json={"name": "k", "scopes": ["jobs:read"]}, headers=admin.headers)
        assert made.status_code == 201
    finally:
        async with container.engine().begin() as db:
            await db.execute(text("ALTER TABLE audit_events_away RENAME TO audit_events"))
    assert await eventually(lambda: events(client, admin.headers, event="key.create"), lambda found: bool(found))


async def test_no_secret_reaches_any_sink(
    connect: Connect,
    make_user: MakeUser,
    make_member: MakeMember,
    container: CommonContainer,
    stores: Stores,
    lines: list[str],
) -> None:
    """L01: canaries through every door and failure, then a search of rows, keys of Redis, lines and answers."""
    canary = "canary-tweet-4711"
    account = await make_user(password=f"{canary}-password")
    admin = await make_member("admin")
    answers: list[str] = []
    async with connect(**PRODUCTION) as client:
        signed_in = await account.sign_in(client)
        made = await client.post(KEYS, json={"name": "k", "scopes": ["jobs:read", "jobs:write"]}, headers=signed_in)
        key = made.json()["key"]
        job = await client.post("/api/v1/jobs", json=ECHO, headers=bearer(key))
        path = job.headers["Location"]
        wanted = {"actions": ["read"]}
        token = (await client.post(f"{path}/token", json=wanted, headers=signed_in)).json()["token"]
        secrets = [f"{canary}-password", signed_in["Authorization"][7:], key, token, ACCESS_TOKEN, f"{canary}-header"]
        login = {"email": account.email, "password": f"{canary}-password-wrong"}
        for method, where, body, headers in (
            ("POST", "/api/v1/auth/login", login, {}),
            ("POST", "/api/v1/auth/login", {**login, "password": 4711}, {}),
            ("GET", path, None, bearer(token)),
            ("POST", f"{path}/retry", None, bearer(token)),
            ("GET", path, None, bearer(f"{canary}-header")),
            ("GET", path, None, bearer(key + "x")),
            ("GET", f"/api/v1/jobs/{key}", None, signed_in),
            ("GET", f"/api/v1/users/{token}", None, signed_in),
            ("GET", f"/api/v1/jobs?tag={canary}-header", None, {"Cookie": f"a={canary}-header", **signed_in}),
            ("POST", KEYS, {"name": "k", "scopes": [f"{canary}-header"]}, signed_in),
            ("PATCH", f"{USERS}/{account.id}", {"role": "admin", "secret": f"{canary}-header"}, signed_in),
            ("DELETE", f"{KEYS}/{made.json()['id']}", None, signed_in),
        ):
            answer = await client.request(method, where, json=body, headers=headers)
            if not any(secret in where for secret in secrets):  # an answer repeats the path to who sent it
                answers.append(f"{answer.headers}{answer.text}")
        await eventually(lambda: events(client, admin.headers, event="key.revoke"), lambda found: bool(found))
    sinks = {
        "lines": "\n".join(lines),
        "answers": "\n".join(answers),
        "postgres": await dump_postgres(container),
        "redis": await dump_redis(stores),
    }
    found = [(name, secret[:12]) for name, sink in sinks.items() for secret in secrets if secret in sink]
    assert found == []


async def dump_postgres(container: CommonContainer) -> str:
    """Every row of every table, as text."""
    rows = []
    async with container.engine().connect() as db:
        tables = (await db.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"))).scalars().all()
        for table in tables:
            rows += [str(row) for row in await db.execute(text(f'SELECT t::text FROM "{table}" AS t'))]
    return "\n".join(rows)


async def dump_redis(stores: Stores) -> str:
    """Every key and value of this test's database, as text."""
    redis = Redis.from_url(stores.redis_url)
    found = []
    async for name in redis.scan_iter():
        found += [repr(name), repr(await redis.dump(name))]
    await redis.aclose()
    return "\n".join(found)
