"""Objects that name others: nobody reaches what is not theirs by naming it (Z05, Z17), or by a place in a log (Z24)."""

from typing import Any
from uuid import uuid4

import httpx2
import pytest

from api.container import ApiContainer
from common.container import CommonContainer
from common.jobs.system_echo import SystemEchoPayload, system_echo
from common.queue.status import JobStatus
from common.repository.job import JobRepository
from tests.api.conftest import ECHO, BuildSettings
from tests.fixtures.workers import running_worker
from tests.security.matrix import HOOK, NIGHTLY
from tests.security.members import MakeMember, Member

API = "/api/v1"
JOBS = f"{API}/jobs"


async def make(client: httpx2.AsyncClient, who: Member, path: str, body: dict[str, Any]) -> str:
    answer = await client.post(f"{API}/{path}", json=body, headers=who.headers)
    assert answer.is_success, answer.text
    return str(answer.json()["id"])


async def test_z05_what_belongs_to_others_cannot_be_named(client: httpx2.AsyncClient, make_member: MakeMember) -> None:
    owner, other = await make_member(), await make_member()
    job_id, hook_id = await make(client, owner, "jobs", ECHO), await make(client, owner, "webhooks", HOOK)
    for named in (
        {"after": [job_id]},
        {"webhook": hook_id},
        {"webhook": HOOK["url"]},
    ):
        answers = []
        for field, value in named.items():
            unknown = str(uuid4()) if field == "webhook" else [str(uuid4())]
            for each in (value, unknown):
                refused = await client.post(JOBS, json={**ECHO, field: each}, headers=other.headers)
                answers.append((refused.status_code, refused.json()["code"]))
        assert answers[0] == answers[1], named
        assert answers[0][0] in (404, 422), named
    assert (await client.get(JOBS, headers=other.headers)).json()["items"] == []


async def test_z05_schedules_and_batches_are_no_way_round(client: httpx2.AsyncClient, make_member: MakeMember) -> None:
    owner, other = await make_member(), await make_member()
    job_id = await make(client, owner, "jobs", ECHO)
    batch = await client.post(
        f"{JOBS}/batch", json={"jobs": [{**ECHO, "after": [job_id]}, ECHO]}, headers=other.headers
    )
    assert [item["status"] for item in batch.json()["items"]] == [422, 202]
    smuggled = await client.post(f"{API}/schedules", json={**NIGHTLY, "after": [job_id]}, headers=other.headers)
    assert smuggled.status_code == 422


async def test_z17_workers_look_again_whose_it_is(
    client: httpx2.AsyncClient, make_member: MakeMember, container: CommonContainer, build_settings: BuildSettings
) -> None:
    owner, other = await make_member(), await make_member()
    async with running_worker(build_settings(), smtp_url="smtp://127.0.0.1:1"):
        echo = await client.post(JOBS, json=ECHO, headers={**owner.headers, "Prefer": "wait=20"})
        assert echo.json()["status"] == "succeeded", echo.text
        mail = {"to": "eve@example.com", "subject": "mine", "text": "x"}
        attached = {**mail, "attachments": [{"filename": "stolen.json", "job_id": echo.json()["id"]}]}
        body = {"kind": "email.send", "payload": attached}
        stolen = await client.post(JOBS, json=body, headers={**other.headers, "Prefer": "wait=20"})
    assert (stolen.json()["status"], stolen.json()["error"]["code"]) == ("failed", "permanent"), stolen.text
    assert "has no result to attach" in stolen.json()["error"]["message"]


async def test_z16_a_job_that_slipped_in_while_its_owner_left_does_not_run(
    client: httpx2.AsyncClient, make_member: MakeMember, container: CommonContainer, build_settings: BuildSettings
) -> None:
    admin, leaver = await make_member("admin"), await make_member()
    await client.patch(f"{API}/users/{leaver.id}", json={"is_active": False}, headers=admin.headers)
    late = await container.queue().submit(system_echo, SystemEchoPayload(message="late"), owner=leaver.owner)
    offboarding = ApiContainer(settings=build_settings()).offboarding()
    async with offboarding:
        ended = await client.get(f"{JOBS}/{late.id}", headers={**admin.headers, "Prefer": "wait=20"})
    assert (ended.json()["status"], ended.json()["attempt"]) == ("cancelled", 0)
    async with container.sessions()() as db:
        assert (await JobRepository().get(db, late.id, leaver.owner)).status == JobStatus.CANCELLED


@pytest.mark.parametrize(
    "place",
    [
        "after_seq=-1",
        "after_seq=1.5",
        "after_seq=x",
        "after_seq=99999999999999999999",
        f"after_seq=1&epoch={'e' * 100}",
    ],
)
async def test_z24_places_that_cannot_be_are_refused(
    client: httpx2.AsyncClient, make_member: MakeMember, place: str
) -> None:
    owner = await make_member()
    job_id = await make(client, owner, "jobs", ECHO)
    answer = await client.get(
        f"{JOBS}/{job_id}/events?{place}", headers={**owner.headers, "Accept": "application/json"}
    )
    assert answer.status_code == 422, answer.text


async def test_z24_the_place_of_another_job_shows_nothing_of_it(
    client: httpx2.AsyncClient, make_member: MakeMember
) -> None:
    owner, other = await make_member(), await make_member()
    theirs, mine = await make(client, owner, "jobs", ECHO), await make(client, other, "jobs", ECHO)
    page = {"Accept": "application/json"}
    first = (await client.get(f"{JOBS}/{theirs}/events", headers={**owner.headers, **page})).json()
    for query in (
        f"after_seq=0&epoch={first['epoch']}",
        "after_seq=500",
        "after_seq=1&epoch=eA==",
    ):
        found = await client.get(f"{JOBS}/{mine}/events?{query}", headers={**other.headers, **page})
        assert found.status_code == 200
        assert {event["job_id"] for event in found.json()["events"]} <= {mine}
        assert not found.json()["recovered"]
        assert found.json()["snapshot"]["id"] == mine
