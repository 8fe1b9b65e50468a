"""API keys: what they can do, what they cannot, and when they end."""

from datetime import timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from common.container import CommonContainer
from tests.api.conftest import ECHO, Connect
from tests.security.members import MakeMember, Member

KEYS, JOBS, ME = "/api/v1/api-keys", "/api/v1/jobs", "/api/v1/users/me"
NAMED = {"name": "nightly"}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def make_key(client: httpx2.AsyncClient, headers: dict[str, str], *scopes: str, **more: Any) -> dict[str, Any]:
    answer = await client.post(KEYS, json={**NAMED, "scopes": list(scopes), **more}, headers=headers)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def test_key_acts_as_its_owner_within_its_scopes(client: httpx2.AsyncClient, make_member: MakeMember) -> None:
    person = await make_member()
    made = await make_key(client, person.headers, "jobs:read", "jobs:write")
    key = bearer(made["key"])

    job = await client.post(JOBS, json=ECHO, headers=key)

    assert job.status_code == 202
    assert (await client.get(job.headers["Location"], headers=key)).status_code == 200
    assert (await client.get(job.headers["Location"], headers=person.headers)).status_code == 200
    refused = await client.get(ME, headers=key)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert "users:read" in refused.json()["detail"]
    reader = bearer((await make_key(client, person.headers, "jobs:read"))["key"])
    assert (await client.get(JOBS, headers=reader)).status_code == 200
    assert (await client.post(JOBS, json=ECHO, headers=reader)).status_code == 403


async def test_key_is_shown_once_and_kept_as_a_hash(
    client: httpx2.AsyncClient, make_member: MakeMember, container: CommonContainer
) -> None:
    person = await make_member()
    answer = await client.post(KEYS, json={**NAMED, "scopes": ["jobs:read"]}, headers=person.headers)
    made = answer.json()
    secret = made["key"].split("_")[2]

    assert answer.headers["Cache-Control"] == "no-store"
    assert made["key"].startswith(made["prefix"])
    for path in (answer.headers["Location"], KEYS):
        assert secret not in (await client.get(path, headers=person.headers)).text
    async with container.engine().connect() as db:
        row = (await db.execute(text("SELECT * FROM api_keys"))).mappings().one()
    assert secret not in str(dict(row))
    assert len(row["secret_hash"]) == 32


async def test_revoked_key_ends_at_once_also_in_other_processes(
    connect: Connect, client: httpx2.AsyncClient, make_member: MakeMember
) -> None:
    person = await make_member()
    made = await make_key(client, person.headers, "jobs:read")
    key = bearer(made["key"])
    async with connect(access_cache_lifetime=timedelta(minutes=1)) as other:
        assert (await other.get(JOBS, headers=key)).status_code == 200
        assert (await client.delete(f"{KEYS}/{made['id']}", headers=person.headers)).status_code == 204

        assert (await client.get(JOBS, headers=key)).status_code == 401
        assert await status_becomes(other, key, 401)
    listed = (await client.get(KEYS, headers=person.headers)).json()["items"]
    assert [item["revoked_at"] is not None for item in listed] == [True]


async def status_becomes(client: httpx2.AsyncClient, headers: dict[str, str], status: int) -> bool:
    for _ in range(200):
        if (await client.get(JOBS, headers=headers)).status_code == status:
            return True
    return False


@pytest.mark.parametrize(
    "change",
    [
        "expires_at = now() - interval '1 second'",
        "revoked_at = now()",
        r"secret_hash = '\x00'",
        "prefix = 'another000'",
    ],
)
async def test_key_that_does_not_hold_any_more(
    connect: Connect, make_member: MakeMember, container: CommonContainer, change: str
) -> None:
    person = await make_member()
    async with connect(access_cache_lifetime=timedelta(0)) as client:
        key = bearer((await make_key(client, person.headers, "jobs:read", expires_in=60))["key"])
        assert (await client.get(JOBS, headers=key)).status_code == 200
        async with container.engine().begin() as db:
            await db.execute(text(f"UPDATE api_keys SET {change}"))
        answer = await client.get(JOBS, headers=key)
    assert (answer.status_code, answer.json()["detail"]) == (401, "Invalid access token")


async def test_text_that_only_looks_like_a_key(client: httpx2.AsyncClient, make_member: MakeMember) -> None:
    good = (await make_key(client, (await make_member()).headers, "jobs:read"))["key"]
    swapped = good[:-1] + ("a" if good[-1] != "a" else "b")
    for text_ in ("ltn_", "ltn_x_y", good[:-1], good + "0", swapped, good.upper(), good.replace("ltn_", "LTN_")):
        answer = await client.get(JOBS, headers=bearer(text_))
        assert (answer.status_code, answer.json()["detail"]) == (401, "Invalid access token"), text_


async def test_key_makes_no_key_that_may_more(client: httpx2.AsyncClient, make_member: MakeMember) -> None:
    person = await make_member()
    made = await make_key(client, person.headers, "keys:write", "jobs:read", expires_in=600)
    key = bearer(made["key"])

    assert (await client.post(KEYS, json={**NAMED, "scopes": ["jobs:write"]}, headers=key)).status_code == 403
    assert (await client.post(KEYS, json={**NAMED, "scopes": ["jobs:read"]}, headers=key)).status_code == 403
    longer = {**NAMED, "scopes": ["jobs:read"], "expires_in": 6000}
    assert (await client.post(KEYS, json=longer, headers=key)).status_code == 403
    await make_key(client, key, "jobs:read", expires_in=60)


async def test_use_is_noted_once_a_minute(
    connect: Connect, make_member: MakeMember, container: CommonContainer
) -> None:
    async def last_used() -> Any:
        async with container.engine().connect() as db:
            return (await db.execute(text("SELECT last_used_at FROM api_keys"))).scalar_one()

    person = await make_member()
    async with connect(access_cache_lifetime=timedelta(0)) as client:
        key = bearer((await make_key(client, person.headers, "jobs:read"))["key"])
        assert await last_used() is None
        await client.get(JOBS, headers=key)
        first = await last_used()
        await client.get(JOBS, headers=key)
        assert await last_used() == first
        async with container.engine().begin() as db:
            await db.execute(text("UPDATE api_keys SET last_used_at = now() - interval '61 seconds'"))
        await client.get(JOBS, headers=key)
        assert await last_used() > first


async def test_services_get_keys_from_their_admin(client: httpx2.AsyncClient, make_member: MakeMember) -> None:
    admin, user = await make_member("admin"), await make_member()
    stranger = await make_member("admin", tenant_id=user.id)
    body = {"name": "importer", "is_service": True}
    service = (await client.post("/api/v1/users", json=body, headers=admin.headers)).json()
    assert service["email"] is None
    wanted = {**NAMED, "scopes": ["jobs:write", "users:read"], "user_id": service["id"]}

    for who, status in ((user, 403), (stranger, 404)):
        assert (await client.post(KEYS, json=wanted, headers=who.headers)).status_code == status
    made = await client.post(KEYS, json=wanted, headers=admin.headers)

    assert (await client.get(ME, headers=bearer(made.json()["key"]))).json()["id"] == service["id"]
    for_person = {**wanted, "user_id": str(user.id)}
    assert (await client.post(KEYS, json=for_person, headers=admin.headers)).status_code == 404
    path = f"{KEYS}/{made.json()['id']}"
    assert [await status_of(client, path, who) for who in (admin, user, stranger)] == [200, 404, 404]
    listed = await client.get(KEYS, params={"user_id": service["id"]}, headers=admin.headers)
    assert [item["id"] for item in listed.json()["items"]] == [made.json()["id"]]
    assert (await client.get(KEYS, params={"user_id": service["id"]}, headers=user.headers)).status_code == 404


async def status_of(client: httpx2.AsyncClient, path: str, person: Member) -> int:
    return (await client.get(path, headers=person.headers)).status_code


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"scopes": []}, "scopes"),
        ({"scopes": ["jobs:all"]}, "scopes"),
        ({"name": " x "}, "name"),
        ({"name": "a\x00b"}, "name"),
        ({"expires_in": 1}, "expires_in"),
        ({"owner_id": "x"}, "owner_id"),
    ],
)
async def test_malformed_request_for_a_key(client: httpx2.AsyncClient, change: dict[str, Any], field: str) -> None:
    answer = await client.post(KEYS, json={**NAMED, "scopes": ["jobs:read"], **change})
    assert answer.status_code == 422
    assert field in str(answer.json()["errors"])


async def test_number_of_keys_is_bounded(connect: Connect, make_member: MakeMember) -> None:
    person = await make_member()
    async with connect(max_api_keys=1) as client:
        made = await make_key(client, person.headers, "jobs:read")
        wanted = {**NAMED, "scopes": ["jobs:read"]}
        full = await client.post(KEYS, json=wanted, headers=person.headers)
        assert (full.status_code, "MAX_API_KEYS" in full.json()["detail"]) == (409, True)
        await client.delete(f"{KEYS}/{made['id']}", headers=person.headers)
        await make_key(client, person.headers, "jobs:read")
