"""Who may do what with whose objects, and when a change of that counts: cases Z01 to Z24 beside the table."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid1

import httpx2
import pytest
from sqlalchemy import text

from common.container import CommonContainer
from common.ids import new_id
from tests.api.conftest import ECHO, Connect
from tests.security.members import MakeMember, Member
from tests.security.world import bearer

JOBS, USERS, TENANTS, KEYS = "/api/v1/jobs", "/api/v1/users", "/api/v1/tenants", "/api/v1/api-keys"
ME = f"{USERS}/me"


async def submit(client: httpx2.AsyncClient, member: Member, **more: Any) -> str:
    answer = await client.post(JOBS, json={**ECHO, **more}, headers=member.headers)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


async def job_token(client: httpx2.AsyncClient, member: Member, job_id: str, *actions: str) -> dict[str, str]:
    wanted = {"actions": list(actions), "expires_in": 60}
    answer = await client.post(f"{JOBS}/{job_id}/token", json=wanted, headers=member.headers)
    assert answer.status_code == 201, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    return bearer(answer.json()["token"])


async def test_z01_foreign_job_looks_like_no_job(client: httpx2.AsyncClient, make_member: MakeMember) -> None:
    owner, other = await make_member(), await make_member()
    job_id, unknown = await submit(client, owner), str(new_id())
    for method, suffix in (
        ("GET", ""),
        ("GET", "/attempts"),
        ("POST", "/cancel"),
        ("POST", "/retry"),
        ("POST", "/token"),
    ):
        bodies = []
        for each in (job_id, unknown):
            body = {"actions": ["read"]} if suffix == "/token" else None
            answer = await client.request(method, f"{JOBS}/{each}{suffix}", json=body, headers=other.headers)
            problem = answer.json()
            assert answer.status_code == 404
            del problem["request_id"]
            bodies.append(str(problem).replace(each, "ID"))
        assert bodies[0] == bodies[1]


async def test_z02_lists_hold_only_ones_own(client: httpx2.AsyncClient, make_member: MakeMember) -> None:
    owner, peer, operator = await make_member(), await make_member(), await make_member("operator")
    elsewhere = await make_member("operator", tenant_id=new_id())
    job_id = await submit(client, owner, tags=["a"])
    for query in ({}, {"tag": "a"}, {"owner_id": str(owner.id)}, {"tenant_id": str(owner.tenant_id)}):
        answer = await client.get(JOBS, params=query, headers=peer.headers)
        assert answer.status_code == 422 or answer.json()["items"] == []
    everybody = {"everybody": True}
    assert (await client.get(JOBS, params=everybody, headers=peer.headers)).status_code == 403
    found = (await client.get(JOBS, params=everybody, headers=operator.headers)).json()["items"]
    assert [(job["id"], job["owner_id"]) for job in found] == [(job_id, str(owner.id))]
    assert (await client.get(JOBS, params=everybody, headers=elsewhere.headers)).json()["items"] == []
    assert (await client.get(JOBS, headers=operator.headers)).json()["items"] == []


async def test_z11_idempotency_keys_of_two_users_are_two(client: httpx2.AsyncClient, make_member: MakeMember) -> None:
    ids = set()
    for member in (await make_member(), await make_member()):
        headers = {**member.headers, "Idempotency-Key": '"same"'}
        ids.add((await client.post(JOBS, json=ECHO, headers=headers)).json()["id"])
    assert len(ids) == 2


@pytest.mark.parametrize(
    "field", ["owner_id", "tenant_id", "status", "attempt", "created_at", "is_admin", "id", "lease_owner"]
)
async def test_z12_nobody_sets_what_is_ours(client: httpx2.AsyncClient, make_member: MakeMember, field: str) -> None:
    member = await make_member()
    answers = [
        await client.post(JOBS, json={**ECHO, field: "x"}, headers=member.headers),
        await client.patch(f"{USERS}/{member.id}", json={field: "x"}, headers=member.headers),
    ]
    assert [answer.status_code for answer in answers] == [422, 422]


async def test_z13_answers_have_exactly_these_fields(client: httpx2.AsyncClient, make_member: MakeMember) -> None:
    admin = await make_member("admin")
    key = await client.post(KEYS, json={"name": "k", "scopes": ["jobs:read"]}, headers=admin.headers)
    me = await client.get(ME, headers=admin.headers)
    job = await client.get(f"{JOBS}/{await submit(client, admin)}", headers=admin.headers)

    user = {"id", "tenant_id", "email", "name", "role", "is_active", "is_service", "created_at"}
    shown = {"id", "user_id", "name", "prefix", "scopes", "created_at", "expires_at", "last_used_at", "revoked_at"}
    assert set(me.json()) == user
    assert set(key.json()) == shown | {"key"}
    assert not {"lease_owner", "tenant_id", "dispatch_no", "limit_keys", "payload", "secret_hash"} & set(job.json())


async def test_z14_admins_end_at_their_tenant(client: httpx2.AsyncClient, make_member: MakeMember) -> None:
    user, stranger = await make_member(), await make_member("admin", tenant_id=new_id())
    for method, path, body in (
        ("GET", f"{USERS}/{user.id}", None),
        ("PATCH", f"{USERS}/{user.id}", {"role": "admin"}),
        ("DELETE", f"{USERS}/{user.id}", None),
        ("GET", f"{TENANTS}/{user.tenant_id}/members", None),
    ):
        assert (await client.request(method, path, json=body, headers=stranger.headers)).status_code == 404, path
    assert (await client.post(TENANTS, json={"name": "mine"}, headers=stranger.headers)).status_code == 403
    assert (await client.get(TENANTS, headers=stranger.headers)).json()["items"][0]["id"] == str(stranger.tenant_id)


async def test_z15_a_role_that_is_taken_away_counts_at_once_everywhere(
    connect: Connect, client: httpx2.AsyncClient, make_member: MakeMember
) -> None:
    boss, demoted = await make_member("admin"), await make_member("admin")
    async with connect(access_cache_lifetime=timedelta(minutes=1)) as other:
        assert (await other.get(USERS, headers=demoted.headers)).status_code == 200
        changed = await client.patch(f"{USERS}/{demoted.id}", json={"role": "user"}, headers=boss.headers)
        assert changed.json()["role"] == "user"
        assert (await client.get(ME, headers=demoted.headers)).status_code == 401
        async with asyncio.timeout(60):
            while (await other.get(USERS, headers=demoted.headers)).status_code == 200:
                pass


async def test_z15_writes_look_again(connect: Connect, make_member: MakeMember, container: CommonContainer) -> None:
    admin, user = await make_member("admin"), await make_member()
    async with connect(access_cache_lifetime=timedelta(minutes=1)) as client:
        await client.get(ME, headers=admin.headers)
        async with container.engine().begin() as db:
            await db.execute(text("UPDATE users SET role = 'user' WHERE id = :id"), {"id": admin.id})
        remembered = await client.get(USERS, headers=admin.headers)
        assert remembered.status_code == 200
        for method, body in (("PATCH", {"is_active": False}), ("DELETE", None)):
            refused = await client.request(method, f"{USERS}/{user.id}", json=body, headers=admin.headers)
            assert refused.status_code == 403


async def test_z16_whoever_is_disabled_runs_nothing(
    client: httpx2.AsyncClient, make_member: MakeMember, container: CommonContainer
) -> None:
    admin, user = await make_member("admin"), await make_member()
    job_id = await submit(client, user)
    nightly = {"name": "nightly", "cron": "0 3 * * *", **ECHO}
    schedule = await client.post("/api/v1/schedules", json=nightly, headers=user.headers)

    await client.patch(f"{USERS}/{user.id}", json={"is_active": False}, headers=admin.headers)

    job = (await client.get(f"{JOBS}/{job_id}", headers=admin.headers)).json()
    assert (job["status"], job["error"]["message"]) == ("cancelled", "its owner may not run jobs any more")
    assert (await client.get(ME, headers=user.headers)).status_code == 401
    async with container.engine().connect() as db:
        found = await db.execute(text("SELECT status, due_at FROM schedules"))
    assert schedule.status_code == 201
    assert [tuple(row) for row in found] == [("disabled", None)]
    await client.patch(f"{USERS}/{user.id}", json={"is_active": True}, headers=admin.headers)
    assert (await client.get(ME, headers=user.headers)).status_code == 401, "tokens of before stay outdated"


async def test_z20_bulk_touches_only_ones_own(client: httpx2.AsyncClient, make_member: MakeMember) -> None:
    owner, admin = await make_member(), await make_member("admin")
    mine, theirs = await submit(client, admin, tags=["x"]), await submit(client, owner, tags=["x"])
    done = (await client.post(f"{JOBS}/cancel", json={"tag": "x"}, headers=admin.headers)).json()
    assert done["cancelled"] == 1
    states = [(await client.get(f"{JOBS}/{each}", headers=admin.headers)).json()["status"] for each in (mine, theirs)]
    assert states == ["cancelled", "queued"]


async def test_z21_ids_in_other_forms_are_unknown(client: httpx2.AsyncClient, make_member: MakeMember) -> None:
    admin = await make_member("admin")
    good = str(admin.id)
    for each in (f"{{{good}}}", good.replace("-", ""), f"urn:uuid:{good}", "1", "0", "../me", "%2e%2e", str(uuid1())):
        for path in (f"{USERS}/{each}", f"{KEYS}/{each}", f"{TENANTS}/{each}"):
            assert (await client.get(path, headers=admin.headers)).status_code in (404, 405), path
    assert (await client.get(f"{USERS}/{good.upper()}", headers=admin.headers)).status_code == 200


async def test_z22_other_spellings_decide_alike(connect: Connect, make_member: MakeMember) -> None:
    admin, user = await make_member("admin"), await make_member()
    override = {"X-HTTP-Method-Override": "DELETE", "X-Method-Override": "DELETE"}
    async with connect(environment="staging") as client:
        for path in (USERS, f"{USERS}/", f"/{USERS}", USERS.replace("/users", "%2Fusers"), USERS.upper(), f"{ME}/.."):
            for headers, allowed in (({}, ()), (user.headers, ()), ({**user.headers, **override}, ())):
                answer = await client.get(path, headers=headers)
                assert answer.status_code in (401, 403, 404, 307, 308, *allowed), path
        assert (await client.post(f"{USERS}/{admin.id}", headers={**admin.headers, **override})).status_code == 405
        for method in ("HEAD", "OPTIONS", "TRACE", "PUT"):
            assert (await client.request(method, USERS)).status_code in (401, 405)
        assert (await client.get(USERS, headers=admin.headers)).status_code == 200


async def test_last_admin_stays(
    client: httpx2.AsyncClient, make_member: MakeMember, container: CommonContainer
) -> None:
    admin = await make_member("admin", tenant_id=new_id())
    async with container.engine().begin() as db:
        await db.execute(text("UPDATE users SET password_hash = 'x'"))
    path = f"{USERS}/{admin.id}"
    for method, body in (("PATCH", {"role": "user"}), ("PATCH", {"is_active": False}), ("DELETE", None)):
        answer = await client.request(method, path, json=body, headers=admin.headers)
        assert (answer.status_code, "last admin" in answer.json()["detail"]) == (409, True)
    second = await make_member("admin", tenant_id=admin.tenant_id)
    async with container.engine().begin() as db:
        await db.execute(text("UPDATE users SET password_hash = 'x'"))
    assert (await client.delete(path, headers=second.headers)).status_code == 204


async def test_members_move_with_nothing_left_behind(client: httpx2.AsyncClient, make_member: MakeMember) -> None:
    boss, user = await make_member("admin"), await make_member()
    made = await client.post(TENANTS, json={"name": "Engines"}, headers=boss.headers)
    tenant = made.json()["id"]
    job_id = await submit(client, user)
    key = (await client.post(KEYS, json={"name": "k", "scopes": ["jobs:read"]}, headers=user.headers)).json()["key"]
    members = f"{TENANTS}/{tenant}/members"

    moved = await client.post(members, json={"user_id": str(user.id), "role": "operator"}, headers=boss.headers)

    assert (moved.json()["tenant_id"], moved.json()["role"]) == (tenant, "operator")
    assert [user["id"] for user in (await client.get(members, headers=boss.headers)).json()["items"]] == [str(user.id)]
    for headers in (user.headers, bearer(key)):
        assert (await client.get(JOBS, headers=headers)).status_code == 401
    assert (await client.get(f"{JOBS}/{job_id}", headers=boss.headers)).json()["status"] == "cancelled"
    again = await client.post(members, json={"user_id": str(user.id)}, headers=boss.headers)
    assert again.status_code == 409
    assert (await client.delete(f"{members}/{user.id}", headers=boss.headers)).status_code == 204
    back = (await client.get(f"{USERS}/{user.id}", headers=boss.headers)).json()
    assert (back["tenant_id"], back["role"]) == (str(boss.tenant_id), "user")
    assert (
        await client.delete(f"{TENANTS}/{boss.tenant_id}/members/{user.id}", headers=boss.headers)
    ).status_code == 409


async def test_job_token_does_one_thing(client: httpx2.AsyncClient, make_member: MakeMember) -> None:
    owner = await make_member()
    job_id = await submit(client, owner)
    reader = await job_token(client, owner, job_id, "read")
    canceller = await job_token(client, owner, job_id, "cancel")

    assert (await client.get(f"{JOBS}/{job_id}", headers=reader)).status_code == 200
    assert (await client.post(f"{JOBS}/{job_id}/cancel", headers=reader)).status_code == 403
    assert (await client.get(f"{JOBS}/{job_id}", headers=canceller)).status_code == 403
    assert (await client.post(f"{JOBS}/{job_id}/cancel", headers=canceller)).status_code == 200
    for path in (JOBS, ME, KEYS, "/api/v1/auth/sessions", "/api/v1/events"):
        assert (await client.get(path, headers=reader)).status_code == 403


async def test_job_token_ends_with_what_made_it(
    client: httpx2.AsyncClient, make_member: MakeMember, container: CommonContainer
) -> None:
    owner = await make_member()
    job_id = await submit(client, owner)
    made = await client.post(KEYS, json={"name": "k", "scopes": ["jobs:read", "jobs:write"]}, headers=owner.headers)
    with_key = Member(owner.id, owner.tenant_id, made.json()["key"])
    of_key, of_session = [await job_token(client, each, job_id, "read") for each in (with_key, owner)]
    assert [await status(client, job_id, each) for each in (of_key, of_session)] == [200, 200]

    await client.delete(f"{KEYS}/{made.json()['id']}", headers=owner.headers)
    assert [await status(client, job_id, each) for each in (of_key, of_session)] == [401, 200]
    await client.post("/api/v1/auth/logout", headers=owner.headers)
    assert await status(client, job_id, of_session) == 401


async def status(client: httpx2.AsyncClient, job_id: str, headers: dict[str, str]) -> int:
    return (await client.get(f"{JOBS}/{job_id}", headers=headers)).status_code


async def test_two_authorization_headers_are_none(client: httpx2.AsyncClient, make_member: MakeMember) -> None:
    member = await make_member()
    headers = [("Authorization", f"Bearer {member.token}"), ("Authorization", "Bearer other")]
    answer = await client.get(ME, headers=headers)
    assert (answer.status_code, answer.json()["detail"]) == (401, "Invalid authorization header format")
