"""Collections that a tenant shares: who sees them, who changes them, and what ends that."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from common.ids import new_id
from tests.api.conftest import PRODUCTION, Connect
from tests.api.realtime.listener import eventually
from tests.security.members import MakeMember, Member, make_member  # noqa: F401  a fixture

COLLECTIONS = "/api/v1/collections"
TENANT, PRIVATE = {"visibility": "tenant"}, {"visibility": "private"}


@dataclass
class Team:
    """`owner` and `peer` are of one tenant, whose operator is `operator`; `other` is of another one."""

    http: httpx2.AsyncClient
    owner: Member
    peer: Member
    operator: Member
    other: Member

    async def ask(self, who: Member, method: str, path: str, body: Any = None, **query: Any) -> httpx2.Response:
        return await self.http.request(method, f"{COLLECTIONS}{path}", json=body, params=query, headers=who.headers)

    async def make(self, who: Member, **values: Any) -> dict[str, Any]:
        answer = await self.ask(who, "POST", "", {"name": str(new_id()), **values})
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def listed(self, who: Member, **query: Any) -> list[str]:
        answer = await self.ask(who, "GET", "", **query)
        assert answer.status_code == 200, answer.text
        return [each["name"] for each in answer.json()["items"]]

    async def upload(self, who: Member, collection_id: str) -> httpx2.Response:
        files = {"file": ("note.txt", b"The lighthouse was built in 1873.", "text/plain")}
        return await self.http.post(f"{COLLECTIONS}/{collection_id}/documents", files=files, headers=who.headers)


@pytest.fixture
async def team(connect: Connect, make_member: MakeMember) -> AsyncIterator[Team]:  # noqa: F811
    tenant_id = new_id()
    owner, peer = [await make_member(tenant_id=tenant_id) for _ in range(2)]
    operator, other = await make_member("admin", tenant_id=tenant_id), await make_member(tenant_id=new_id())
    async with connect(**PRODUCTION) as http:
        yield Team(http, owner, peer, operator, other)


async def test_the_tenant_sees_what_is_shared_and_only_its_owner_changes_it(team: Team) -> None:
    hidden = await team.make(team.owner, name="hidden")
    shared = await team.make(team.owner, name="shared", **TENANT)
    mine = await team.make(team.peer, name="mine")
    assert (hidden["visibility"], hidden["is_owner"], shared["visibility"]) == ("private", True, "tenant")

    assert await team.listed(team.owner) == ["shared", "hidden"]
    assert await team.listed(team.peer) == ["mine", "shared"]
    assert await team.listed(team.peer, visibility="tenant") == ["shared"]
    assert await team.listed(team.peer, visibility="private") == ["mine"]
    assert await team.listed(team.peer, name="hidden") == []
    assert await team.listed(team.other) == []
    page = await team.ask(team.peer, "GET", "", limit=1)
    assert [each["name"] for each in page.json()["items"]] == ["mine"]
    cursor = page.json()["next_cursor"]
    assert await team.listed(team.peer, limit=1, cursor=cursor) == ["shared"]
    refused = await team.ask(team.owner, "GET", "", limit=1, cursor=cursor)
    assert refused.status_code == 422

    seen = (await team.ask(team.peer, "GET", f"/{shared['id']}")).json()
    assert (seen["is_owner"], seen["owner_id"]) == (False, str(team.owner.id))
    document = (await team.upload(team.owner, shared["id"])).json()["document"]
    part = f"/{shared['id']}/documents"
    assert [each["id"] for each in (await team.ask(team.peer, "GET", part)).json()["items"]] == [document["id"]]
    content = await team.ask(team.peer, "GET", f"{part}/{document['id']}/content")
    assert content.content == b"The lighthouse was built in 1873."

    for answer in (
        await team.ask(team.peer, "PATCH", f"/{shared['id']}", {"name": "taken over"}),
        await team.ask(team.peer, "PATCH", f"/{shared['id']}", PRIVATE),
        await team.ask(team.operator, "PATCH", f"/{shared['id']}", {**PRIVATE, "name": "taken over"}),
        await team.ask(team.peer, "DELETE", f"/{shared['id']}"),
        await team.ask(team.peer, "DELETE", f"{part}/{document['id']}"),
        await team.upload(team.peer, shared["id"]),
    ):
        assert (answer.status_code, "only its owner may change" in answer.json()["detail"]) == (403, True), answer.text
    for path, who in (
        (f"/{hidden['id']}", team.peer),
        (f"/{shared['id']}", team.other),
        (f"/{mine['id']}", team.owner),
    ):
        for method, body in (("GET", None), ("PATCH", TENANT), ("DELETE", None)):
            assert (await team.ask(who, method, path, body)).status_code == 404
        assert (await team.upload(who, path[1:])).status_code == 404
        assert (await team.ask(who, "GET", f"{path}/documents/{document['id']}")).status_code == 404


async def test_a_collection_is_renamed_described_shared_and_withdrawn(team: Team) -> None:
    made = await team.make(team.owner, name="notes", description="what we know")
    taken = await team.make(team.peer, name="taken")
    path = f"/{made['id']}"

    async def change(who: Member, **body: Any) -> dict[str, Any]:
        answer = await team.ask(who, "PATCH", path, body)
        assert answer.status_code == 200, answer.text
        changed: dict[str, Any] = answer.json()
        return changed

    changed = await change(team.owner, name="handbook", visibility="tenant")
    assert (changed["name"], changed["description"], changed["visibility"]) == ("handbook", "what we know", "tenant")
    assert changed["updated_at"] > made["updated_at"]
    assert (await change(team.owner, description=None))["description"] is None
    assert await team.listed(team.peer) == ["taken", "handbook"]
    # A private name tells no more than it does to whoever makes a collection.
    renamed = await team.ask(team.owner, "PATCH", path, {"name": "taken"})
    again = await team.ask(team.owner, "POST", "", {"name": "taken"})
    assert renamed.status_code == again.status_code == 409
    assert renamed.json()["detail"] == again.json()["detail"]
    assert taken["id"] not in renamed.text
    for body in ({}, {"name": None}, {"visibility": None}, {"visibility": "world"}, {"name": ""}, {"owner_id": "x"}):
        assert (await team.ask(team.owner, "PATCH", path, body)).status_code == 422, body

    withdrawn = await change(team.operator, **PRIVATE)
    assert (withdrawn["visibility"], withdrawn["is_owner"]) == ("private", False)
    assert await team.listed(team.peer) == ["taken"]
    for who in (team.peer, team.operator):
        assert (await team.ask(who, "GET", path)).status_code == 404
        assert (await team.ask(who, "PATCH", path, PRIVATE)).status_code == 404

    async def events(event: str) -> list[dict[str, Any]]:
        found = await team.http.get("/api/v1/audit", params={"event": event}, headers=team.operator.headers)
        return [{name: each[name] for name in ("actor_id", "target", "details")} for each in found.json()["items"]]

    async def is_written() -> bool:
        return bool(await events("collection.unshare"))

    await eventually(is_written)
    noted = {"target": f"collection:{made['id']}", "details": {"owner": str(team.owner.id)}}
    assert await events("collection.share") == [{"actor_id": str(team.owner.id), **noted}]
    assert await events("collection.unshare") == [{"actor_id": str(team.operator.id), **noted}]


async def test_with_its_owner_a_shared_collection_goes(team: Team) -> None:
    shared = await team.make(team.owner, **TENANT)
    document = (await team.upload(team.owner, shared["id"])).json()["document"]
    assert await team.listed(team.peer) == [shared["name"]]
    gone = await team.http.delete(f"/api/v1/users/{team.owner.id}", headers=team.operator.headers)
    assert gone.status_code == 204, gone.text
    assert await team.listed(team.peer) == []
    for path in (f"/{shared['id']}", f"/{shared['id']}/documents", f"/{shared['id']}/documents/{document['id']}"):
        assert (await team.ask(team.peer, "GET", path)).status_code == 404
    search = await team.ask(team.peer, "POST", f"/{shared['id']}/search", {"query": "lighthouse"})
    assert search.status_code == 404


async def test_whoever_leaves_a_tenant_leaves_what_they_shared_and_reads_nothing_there(
    team: Team,
    make_member: MakeMember,  # noqa: F811
) -> None:
    boss = await make_member("admin")
    shared = await team.make(team.owner, **TENANT)
    theirs = await team.make(team.peer, **TENANT)
    moved = await team.http.post(
        f"/api/v1/tenants/{team.other.tenant_id}/members", json={"user_id": str(team.owner.id)}, headers=boss.headers
    )
    assert moved.status_code == 201, moved.text
    for name in (shared["name"], theirs["name"]):
        assert await team.listed(team.other, name=name) == []
    assert await team.listed(team.peer) == [theirs["name"], shared["name"]]
    assert (await team.ask(team.peer, "PATCH", f"/{shared['id']}", PRIVATE)).status_code == 403
    assert (await team.ask(team.operator, "PATCH", f"/{shared['id']}", PRIVATE)).status_code == 200
    assert await team.listed(team.peer) == [theirs["name"]]
