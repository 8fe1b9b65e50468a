"""POST /api/v1/jobs: what is accepted, and what is refused with which words."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from common.container import CommonContainer
from common.repository.job import Owner
from common.repository.user import DEFAULT_TENANT_ID, LOCAL_USER
from tests.api.conftest import ECHO, Connect

MISSING = object()


async def test_submit_answers_202_with_a_committed_job(client: httpx2.AsyncClient, container: CommonContainer) -> None:
    await client.post("/api/v1/jobs", json=ECHO)  # connects to Redis, which may take longer than a hint may
    answer = await client.post("/api/v1/jobs", json=ECHO, headers={"X-Request-ID": "from-the-test"})

    assert answer.status_code == 202, answer.text
    job = answer.json()
    assert answer.headers["Location"] == f"/api/v1/jobs/{job['id']}"
    assert answer.headers["Retry-After"] == "1"
    assert (job["kind"], job["queue"], job["status"], job["attempt"]) == ("system.echo", "default", "queued", 0)
    assert job["waiting"] == {"reason": "no_worker", "until": None, "message": None}
    assert job["request_id"] == "from-the-test"
    assert (await client.get(answer.headers["Location"])).json() == job
    row = await container.redis().zscore(container.keys().queue("default"), job["id"])
    assert row is not None


async def test_options_reach_the_job(client: httpx2.AsyncClient) -> None:
    options = {
        "priority": -5,
        "delay": 90.5,
        "expires_in": 3600,
        "max_attempts": 7,
        "timeout": 12.5,
        "tags": ["red", "blau", "red"],
        "metadata": {"order": {"id": 7, "name": "주문"}},
    }

    job = (await client.post("/api/v1/jobs", json={**ECHO, **options})).json()

    assert {name: job[name] for name in ("priority", "max_attempts", "timeout", "metadata")} == {
        name: options[name] for name in ("priority", "max_attempts", "timeout", "metadata")
    }
    assert job["tags"] == ["red", "blau"]
    assert job["waiting"] == {"reason": "schedule", "until": job["run_at"], "message": None}
    wait = datetime.fromisoformat(job["run_at"]) - datetime.fromisoformat(job["created_at"])
    assert wait == timedelta(seconds=90.5)
    lifetime = datetime.fromisoformat(job["expires_at"]) - datetime.fromisoformat(job["created_at"])
    assert lifetime == timedelta(hours=1)


async def test_run_at_may_have_any_zone_and_may_be_past(client: httpx2.AsyncClient) -> None:
    later = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=2)
    in_seoul = (later + timedelta(hours=9)).strftime("%Y-%m-%dT%H:%M:%S+09:00")

    job = (await client.post("/api/v1/jobs", json={**ECHO, "run_at": in_seoul})).json()
    past = await client.post("/api/v1/jobs", json={**ECHO, "run_at": "0001-01-01T00:00:00+14:00"})

    assert datetime.fromisoformat(job["run_at"]) == later
    assert past.status_code == 202
    assert past.json()["waiting"] == {"reason": "no_worker", "until": None, "message": None}


def _changed(**changes: Any) -> dict[str, Any]:
    return {name: value for name, value in {**ECHO, **changes}.items() if value is not MISSING}


WRONG: list[tuple[Any, list[str | int], str]] = [
    (_changed(kind="no.such"), ["body", "kind"], "unknown job kind 'no.such'; known kinds: "),
    (_changed(kind=MISSING), ["body", "kind"], "Field required"),
    (_changed(kind=7), ["body", "kind"], "unknown job kind '7'"),
    (_changed(payload=MISSING), ["body", "payload"], "Field required"),
    (_changed(payload={}), ["body", "payload", "message"], "Field required"),
    (_changed(payload={"message": 7}), ["body", "payload", "message"], "valid string"),
    (_changed(payload={"message": "x", "more": 1}), ["body", "payload", "more"], "not permitted"),
    (_changed(payload={"message": "nul\x00"}), ["body", "payload"], "U+0000"),
    (_changed(payload={"message": "\ud800"}), ["body", "payload", "message"], "unicode"),
    (_changed(more=1), ["body", "more"], "not permitted"),
    ({**ECHO, "\ud800": 1}, ["body"], "unicode"),
    (_changed(kind="\ud800"), ["body", "kind"], "unknown job kind"),
    (_changed(priority=101), ["body", "priority"], "less than or equal to 100"),
    (_changed(priority="5"), ["body", "priority"], "valid integer"),
    (_changed(priority=True), ["body", "priority"], "valid integer"),
    (_changed(delay=-1), ["body", "delay"], "greater than or equal to 0"),
    (_changed(delay=1e12), ["body", "delay"], "31536000"),
    (_changed(delay="5"), ["body", "delay"], "valid number"),
    (_changed(run_at="2030-01-01T00:00:00"), ["body", "run_at"], "timezone"),
    (_changed(run_at=1893456000), ["body", "run_at"], "must be a text like"),
    (_changed(run_at="9999-12-31T23:59:59Z"), ["body", "run_at"], "within the next 365 days"),
    (_changed(run_at="tomorrow"), ["body", "run_at"], "valid datetime"),
    (_changed(delay=1, run_at=datetime.now(UTC).isoformat()), ["body"], "exclude each other"),
    (_changed(expires_in=0), ["body", "expires_in"], "greater than 0"),
    (_changed(max_attempts=0), ["body", "max_attempts"], "greater than or equal to 1"),
    (_changed(max_attempts=101), ["body", "max_attempts"], "less than or equal to 100"),
    (_changed(timeout=86401), ["body", "timeout"], "86400"),
    (_changed(tags=["x"] * 21), ["body", "tags"], "at most 20"),
    (_changed(tags=["x" * 65]), ["body", "tags", 0], "at most 64"),
    (_changed(tags=["a\nb"]), ["body", "tags", 0], "pattern"),
    (_changed(metadata={"x": "y" * 17_000}), ["body", "metadata"], "16384 are allowed"),
    (_changed(metadata={"x": "a\x00"}), ["body", "metadata"], "U+0000"),
    (_changed(metadata=[1]), ["body", "metadata"], "dictionary"),
    ([1, 2], ["body"], "dictionary"),
    ("text", ["body"], "dictionary"),
]


async def test_wrong_request_names_the_field(client: httpx2.AsyncClient) -> None:
    for body, path, words in WRONG:
        headers = {"Content-Type": "application/json"}
        answer = await client.post("/api/v1/jobs", content=json.dumps(body), headers=headers)

        assert answer.status_code == 422, (body, answer.text)
        first = answer.json()["errors"][0]
        assert first["path"] == path, body
        assert words in first["message"], body
    assert (await client.get("/api/v1/jobs")).json()["items"] == []


async def test_deep_path_of_a_chat_message(client: httpx2.AsyncClient) -> None:
    messages = [{"role": "user", "content": ""}]
    empty = await client.post("/api/v1/jobs", json={"kind": "llm.chat", "payload": {"messages": []}})
    blank = await client.post("/api/v1/jobs", json={"kind": "llm.chat", "payload": {"messages": messages}})

    assert (empty.status_code, blank.status_code) == (422, 422)
    assert empty.json()["errors"][0]["path"] == ["body", "payload", "messages"]
    assert blank.json()["errors"][0]["path"] == ["body", "payload", "messages", 0, "content"]


async def test_unknown_kind_has_a_code_and_lists_every_public_kind(client: httpx2.AsyncClient) -> None:
    problem = (await client.post("/api/v1/jobs", json={"kind": "x.y", "payload": {}})).json()
    kinds = [kind["name"] for kind in (await client.get("/api/v1/jobs/kinds")).json()["items"]]

    assert problem["code"] == "unknown_kind"
    assert problem["detail"].endswith(f"known kinds: {', '.join(kinds)}")


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"nonsense", b'{"kind": "system.echo", "payload": {"message": NaN}}', b"[" * 50_000, b"\xff\xfe"],
)
async def test_body_that_is_no_json(client: httpx2.AsyncClient, content: bytes) -> None:
    answer = await client.post("/api/v1/jobs", content=content, headers={"Content-Type": "application/json"})

    assert answer.status_code in (400, 422)
    assert answer.headers["Content-Type"] == "application/problem+json"


async def test_not_a_number_in_metadata(client: httpx2.AsyncClient) -> None:
    body = b'{"kind": "system.echo", "payload": {"message": "x"}, "metadata": {"x": [NaN]}}'
    answer = await client.post("/api/v1/jobs", content=body, headers={"Content-Type": "application/json"})

    assert answer.status_code == 422
    assert answer.json()["detail"] == "NaN is not a number of JSON"


async def test_payload_over_its_limit_names_the_setting(connect: Connect) -> None:
    async with connect(max_payload_bytes=1024) as client:
        answer = await client.post("/api/v1/jobs", json=_changed(payload={"message": "x" * 2000}))

    assert answer.status_code == 413
    assert "MAX_PAYLOAD_BYTES allows 1024" in answer.json()["detail"]


async def test_text_survives_as_it_was_sent(client: httpx2.AsyncClient, container: CommonContainer) -> None:
    text = "한글 🎉 \\u0000 \u2028 'quote\" %s :name"
    job = (await client.post("/api/v1/jobs", json=_changed(payload={"message": text}))).json()

    async with container.sessions()() as db:
        row = await container.jobs().find(db, job["id"], Owner(DEFAULT_TENANT_ID, LOCAL_USER.id))
    assert row is not None
    assert row.payload == {"message": text}


async def test_submit_without_redis_is_still_accepted(connect: Connect) -> None:
    async with connect(redis_url="redis://127.0.0.1:1/0") as client:
        answer = await client.post("/api/v1/jobs", json=ECHO, headers={"Prefer": "wait=1"})

        assert answer.status_code == 202
        assert answer.headers["Preference-Applied"] == "wait=1"
        assert (await client.get(answer.headers["Location"])).json()["status"] == "queued"
