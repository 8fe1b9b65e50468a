"""Schedules over HTTP: what they take, what they say, and steering them by hand."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from common.config import CommonSettings
from tests.api.conftest import Connect, MakeUser
from tests.api.realtime.listener import eventually
from tests.fixtures.workers import running_worker

URL = "/api/v1/schedules"
DAILY = {"name": "daily", "kind": "system.echo", "payload": {"message": "hi"}, "cron": "0 9 * * *"}


async def create(client: httpx2.AsyncClient, **changes: Any) -> dict[str, Any]:
    body = {**DAILY, **changes}
    answer = await client.post(URL, json={name: value for name, value in body.items() if value is not None})
    assert answer.status_code == 201, answer.text
    assert answer.headers["Location"] == f"{URL}/{answer.json()['id']}"
    found: dict[str, Any] = answer.json()
    return found


async def test_a_schedule_is_made_read_changed_paused_and_removed(client: httpx2.AsyncClient) -> None:
    made = await create(client, timezone="Asia/Seoul", tags=["nightly"], priority=5, jitter=30)
    assert (made["status"], made["overlap"], made["catch_up"]) == ("active", "skip", "fire_once")
    assert datetime.fromisoformat(made["next_run_at"]).hour == 0
    url = f"{URL}/{made['id']}"
    assert (await client.get(url)).json() == made

    changed = await client.patch(url, json={"interval": 90, "name": "often", "tags": []})
    assert changed.status_code == 200, changed.text
    assert (changed.json()["cron"], changed.json()["interval"], changed.json()["version"]) == (None, 90, 2)
    assert (changed.json()["priority"], changed.json()["tags"], changed.json()["timezone"]) == (5, [], "Asia/Seoul")

    paused = await client.post(f"{url}/pause")
    assert (paused.json()["status"], paused.json()["next_run_at"]) == ("paused", None)
    assert (await client.get(URL, params={"status": "paused"})).json()["items"][0]["id"] == made["id"]
    assert (await client.get(URL, params={"status": "active"})).json()["items"] == []
    resumed = await client.post(f"{url}/resume")
    assert resumed.json()["status"] == "active"
    assert datetime.fromisoformat(resumed.json()["next_run_at"]) > datetime.now(UTC)

    assert (await client.delete(url)).status_code == 204
    assert (await client.get(url)).status_code == 404


async def test_wrong_schedules_are_refused_by_their_field(client: httpx2.AsyncClient) -> None:
    for changes, path, said in (
        ({"cron": "* * * * * *"}, "cron", "five fields"),
        ({"cron": "@reboot"}, "cron", "no alias"),
        ({"cron": "0 0 30 2 *"}, "cron", "never comes"),
        ({"cron": "* " * 5000}, "cron", "longer than"),
        ({"interval": 90}, "body", "exactly one"),
        ({"cron": None}, "body", "exactly one"),
        ({"cron": None, "interval": 59}, "interval", "SCHEDULE_MIN_INTERVAL"),
        ({"cron": None, "interval": -1}, "interval", "greater than"),
        ({"cron": None, "run_at": "9999-01-01T00:00:00Z"}, "run_at", "2200"),
        ({"cron": None, "run_at": "2020-01-01T00:00:00Z"}, "body", "never fire"),
        ({"cron": None, "run_at": "2030-01-01T00:00:00"}, "run_at", "timezone"),
        ({"cron": None, "run_at": 1}, "run_at", "text"),
        ({"timezone": "Mars/Olympus"}, "timezone", "IANA"),
        ({"timezone": "../../etc/passwd"}, "timezone", "IANA"),
        ({"ends_at": "2020-01-01T00:00:00Z"}, "body", "never fire"),
        ({"starts_at": "2031-01-01T00:00:00Z", "ends_at": "2030-01-01T00:00:00Z"}, "body", "after ends_at"),
        ({"jitter": 100_000}, "jitter", "less than"),
        ({"overlap": "explode"}, "overlap", "skip"),
        ({"name": ""}, "name", "at least 1"),
        ({"name": "a\nb"}, "name", "printable"),
        ({"kind": "no.such"}, "body", "known kinds"),
        ({"payload": {}}, "payload", "message"),
        ({"payload": {"message": "{{ nope }}"}}, "payload", "is not known"),
        ({"payload": {"message": "hi", "more": 1}}, "payload", "more"),
        ({"payload": {"message": "{{ last_slot }}"}}, "payload", "message"),
        ({"colour": "red"}, "colour", "not permitted"),
    ):
        body = {name: value for name, value in {**DAILY, **changes}.items() if value is not None}
        answer = await client.post(URL, json=body)
        assert answer.status_code == 422, (changes, answer.text)
        told = answer.json()
        fields = [str(part) for error in told.get("errors") or [{"path": ["body"]}] for part in error["path"]]
        assert path in fields, (changes, told)
        assert said in told["detail"] or said in str(told.get("errors")), (changes, told)


async def test_a_preview_shows_the_next_slots_across_a_clock_change(client: httpx2.AsyncClient) -> None:
    body = {**DAILY, "cron": "30 2 * * *", "timezone": "America/New_York", "starts_at": "2027-03-13T12:00:00Z"}
    answer = await client.post(f"{URL}/preview", params={"count": 3}, json=body)
    assert [item["local"] for item in answer.json()["items"]] == [
        "2027-03-14T03:00:00-04:00",
        "2027-03-15T02:30:00-04:00",
        "2027-03-16T02:30:00-04:00",
    ]
    assert (await client.get(URL)).json()["items"] == []
    made = await create(client, cron="@hourly")
    items = (await client.get(f"{URL}/{made['id']}/preview", params={"count": 2})).json()["items"]
    first, second = (datetime.fromisoformat(item["slot"]) for item in items)
    assert second - first == timedelta(hours=1)


async def test_run_now_and_backfill_fire_with_the_slots_own_values(
    client: httpx2.AsyncClient, settings: CommonSettings
) -> None:
    made = await create(client, timezone="Asia/Seoul", payload={"message": "{{ slot_date }} {{timezone}}"})
    url = f"{URL}/{made['id']}"
    async with running_worker(settings):
        now = await client.post(f"{url}/run-now")
        assert (now.status_code, now.json()["cause"]) == (202, "manual")
        job = await client.get(now.headers["Location"], headers={"Prefer": "wait=10"})
        assert job.json()["metadata"]["schedule_id"] == made["id"]
        assert job.json()["status"] == "succeeded"
        assert job.json()["result"]["message"].endswith(" Asia/Seoul")

        window = {"start": "2026-01-01T00:00:00Z", "end": "2026-01-04T00:00:00Z"}
        filled = await client.post(f"{url}/backfill", json=window)
        assert filled.status_code == 202, filled.text
        messages = []
        for item in filled.json()["items"]:
            job = await client.get(f"/api/v1/jobs/{item['job_id']}", headers={"Prefer": "wait=10"})
            messages.append(job.json()["result"]["message"])
        assert messages == ["2026-01-01 Asia/Seoul", "2026-01-02 Asia/Seoul", "2026-01-03 Asia/Seoul"]
        again = await client.post(f"{url}/backfill", json=window)
        assert again.json()["items"] == []

    page = (await client.get(f"{url}/firings", params={"limit": 2})).json()
    assert [item["cause"] for item in page["items"]] == ["manual", "backfill"]
    assert page["items"][0]["job"]["status"] == "succeeded"
    rest = (await client.get(f"{url}/firings", params={"cursor": page["next_cursor"]})).json()
    assert ([item["cause"] for item in rest["items"]], rest["next_cursor"]) == (["backfill"] * 2, None)
    for window, said in (
        ({"start": "2026-01-02T00:00:00Z", "end": "2026-01-01T00:00:00Z"}, "start must be before end"),
        ({"start": "2026-01-01T00:00:00Z", "end": "2100-01-01T00:00:00Z"}, "not in the future"),
        ({"start": "2020-01-01T00:00:00Z", "end": "2026-01-01T00:00:00Z"}, "MAX_BACKFILL"),
    ):
        refused = await client.post(f"{url}/backfill", json=window)
        assert (refused.status_code, said in refused.json()["detail"]) == (422, True), refused.text


async def test_run_now_heeds_what_still_runs(client: httpx2.AsyncClient, settings: CommonSettings) -> None:
    async def run_now(overlap: str, query: str = "") -> tuple[str, httpx2.Response]:
        sleep = {"kind": "system.sleep", "payload": {"seconds": 60}}
        url = f"{URL}/{(await create(client, overlap=overlap, **sleep))['id']}"
        first = await client.post(f"{url}/run-now")
        assert (first.status_code, first.json()["outcome"]) == (202, "fired")
        return url, await client.post(f"{url}/run-now{query}")

    _, refused = await run_now("skip")
    assert (refused.status_code, "has not ended" in refused.json()["detail"]) == (409, True)
    _, beside = await run_now("skip", "?overlap=allow")
    assert (beside.status_code, beside.json()["outcome"]) == (202, "fired")
    url, other = await run_now("cancel_other")
    assert other.status_code == 202
    states = [item["job"]["status"] for item in (await client.get(f"{url}/firings")).json()["items"]]
    assert states == ["queued", "cancelled"]

    url, later = await run_now("buffer_one")
    assert (later.json()["outcome"], later.json()["job_id"], "Location" in later.headers) == ("buffered", None, False)
    assert (await client.post(f"{url}/run-now")).status_code == 409
    before = (await client.get(f"{url}/firings")).json()["items"][1]["job_id"]
    async with running_worker(settings):
        await client.post(f"/api/v1/jobs/{before}/cancel")

        async def has_fired() -> bool:
            return bool((await client.get(f"{url}/firings")).json()["items"][0]["outcome"] == "fired")

        await eventually(has_fired)


async def test_others_do_not_see_it_and_an_owner_has_so_many(connect: Connect, make_user: MakeUser) -> None:
    async with connect(max_schedules_per_owner=2) as client:
        made = await create(client)
        await create(client)
        third = await client.post(URL, json=DAILY)
        assert (third.status_code, "MAX_SCHEDULES_PER_OWNER" in third.json()["detail"]) == (429, True)
        assert int(third.headers["Retry-After"]) > 0
        stranger = await (await make_user()).sign_in(client)
        assert (await client.get(URL, headers=stranger)).json()["items"] == []
        url = f"{URL}/{made['id']}"
        window = {"start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z"}
        for method, path, body in (
            ("GET", url, None),
            ("PATCH", url, {"name": "mine"}),
            ("DELETE", url, None),
            ("POST", f"{url}/pause", None),
            ("POST", f"{url}/resume", None),
            ("POST", f"{url}/run-now", None),
            ("POST", f"{url}/backfill", window),
            ("GET", f"{url}/preview", None),
            ("GET", f"{url}/firings", None),
        ):
            answer = await client.request(method, path, json=body, headers=stranger)
            assert answer.status_code == 404, (method, path, answer.text)


@pytest.mark.parametrize("path", ["x", "00000000-0000-0000-0000-000000000000"])
async def test_what_is_no_schedule_is_missing(client: httpx2.AsyncClient, path: str) -> None:
    assert (await client.get(f"{URL}/{path}")).status_code == 404
