"""Operators look after the whole tenant: its batches, schedules and webhooks, as its jobs; and after no other."""

from typing import Any

import httpx2
import pytest

from common.ids import new_id
from tests.api.conftest import ECHO
from tests.security.matrix import HOOK, NIGHTLY, PAST
from tests.security.members import MakeMember

API = "/api/v1"
LISTS = {"jobs": ECHO, "schedules": NIGHTLY, "webhooks": HOOK}


@pytest.mark.parametrize("name", LISTS)
async def test_lists_of_everybody(client: httpx2.AsyncClient, make_member: MakeMember, name: str) -> None:
    owner, operator = await make_member(), await make_member("operator")
    stranger = await make_member("operator", tenant_id=new_id())
    made = await client.post(f"{API}/{name}", json=LISTS[name], headers=owner.headers)
    assert made.is_success, made.text

    async def ids(headers: dict[str, str], **query: Any) -> list[tuple[str, str]]:
        answer = await client.get(f"{API}/{name}", params=query, headers=headers)
        assert answer.status_code == 200, answer.text
        return [(each["id"], each["owner_id"]) for each in answer.json()["items"]]

    assert await ids(operator.headers, everybody=True) == [(made.json()["id"], str(owner.id))]
    assert await ids(operator.headers) == await ids(stranger.headers, everybody=True) == []
    refused = await client.get(f"{API}/{name}", params={"everybody": True}, headers=owner.headers)
    assert refused.status_code == 403


async def test_cursors_of_the_two_lists_are_not_mixed_up(client: httpx2.AsyncClient, make_member: MakeMember) -> None:
    operator = await make_member("operator")
    for number in range(2):
        body = {**NIGHTLY, "name": f"nightly-{number}"}
        assert (await client.post(f"{API}/schedules", json=body, headers=operator.headers)).status_code == 201
    page = (await client.get(f"{API}/schedules?limit=1&everybody=true", headers=operator.headers)).json()
    query = {"limit": 1, "cursor": page["next_cursor"]}
    assert (await client.get(f"{API}/schedules", params=query, headers=operator.headers)).status_code == 422
    both = await client.get(f"{API}/schedules", params={**query, "everybody": True}, headers=operator.headers)
    assert len(both.json()["items"]) == 1


async def test_operator_stops_a_batch_and_a_schedule_but_changes_neither(
    client: httpx2.AsyncClient, make_member: MakeMember
) -> None:
    owner, operator = await make_member(), await make_member("operator")
    batch = (await client.post(f"{API}/jobs/batch", json={"jobs": [ECHO, ECHO]}, headers=owner.headers)).json()
    schedule = (await client.post(f"{API}/schedules", json=NIGHTLY, headers=owner.headers)).json()
    path = f"{API}/schedules/{schedule['id']}"

    stopped = await client.post(f"{API}/batches/{batch['id']}/cancel", headers=operator.headers)
    paused = await client.post(f"{path}/pause", headers=operator.headers)

    assert (stopped.status_code, stopped.json()["cancelled"]) == (200, 2)
    assert (paused.status_code, paused.json()["status"]) == (200, "paused")
    assert (await client.post(f"{path}/resume", headers=operator.headers)).json()["status"] == "active"
    fired = (await client.post(f"{path}/run-now", headers=operator.headers)).json()
    job = (await client.get(f"{API}/jobs/{fired['job']['id']}", headers=owner.headers)).json()
    assert job["status"] == "queued", "it is the owner's"
    for method, suffix, body in (("PATCH", "", {"name": "mine"}), ("DELETE", "", None), ("POST", "/backfill", PAST)):
        refused = await client.request(method, path + suffix, json=body, headers=operator.headers)
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
