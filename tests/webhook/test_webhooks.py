"""Webhooks: made, signed, delivered, tried again, given up and replayed, to a real server."""

import asyncio
import base64
import json
from typing import Any

import httpx2
import pytest
from aiohttp import web
from standardwebhooks.webhooks import WebhookVerificationError

from api.container import ApiContainer
from common.ids import new_id
from tests.api.realtime.conftest import Person, Serve, make_person
from tests.api.realtime.listener import eventually
from tests.webhook.receiver import Receiver
from worker.engine import Engine

ECHO = {"kind": "system.echo", "payload": {"message": "hello"}}


async def make(http: httpx2.AsyncClient, url: str, **options: Any) -> dict[str, Any]:
    answer = await http.post("/webhooks", json={"url": url, **options})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def submit(http: httpx2.AsyncClient, **options: Any) -> dict[str, Any]:
    answer = await http.post("/jobs", json={**ECHO, **options})
    assert answer.status_code == 202, answer.text
    job: dict[str, Any] = answer.json()
    return job


async def deliveries(http: httpx2.AsyncClient, hook: dict[str, Any], query: str = "") -> list[dict[str, Any]]:
    answer = await http.get(f"/webhooks/{hook['id']}/deliveries{query}")
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def until_status(http: httpx2.AsyncClient, hook: dict[str, Any], status: str) -> dict[str, Any]:
    """The newest delivery once it has this status."""
    found: list[dict[str, Any]] = []

    async def is_so() -> bool:
        found[:] = await deliveries(http, hook)
        return bool(found) and found[0]["status"] == status

    await eventually(is_so)
    return found[0]


async def test_end_of_a_job_is_told_and_signed(http: httpx2.AsyncClient, worker: Engine, receiver: Receiver) -> None:
    hook = await make(http, receiver.url, events=["job.succeeded"], description="mine")
    assert hook["secret"].startswith("whsec_")
    assert len(base64.b64decode(hook["secret"][6:])) == 32
    job = await submit(http, tags=["t"], custom_id="c")
    [call] = await receiver.until(1)
    said = call.verify(hook["secret"])
    assert said["type"] == "job.succeeded"
    assert {name: said["data"][name] for name in ("job_id", "kind", "status", "custom_id", "tags")} == {
        "job_id": job["id"],
        "kind": "system.echo",
        "status": "succeeded",
        "custom_id": "c",
        "tags": ["t"],
    }
    assert call.headers["host"] == receiver.url.split("/")[2]
    assert call.headers["content-type"] == "application/json"
    delivery = await until_status(http, hook, "delivered")
    assert call.headers["webhook-id"] == delivery["message_id"]
    assert [(each["status_code"], each["error"]) for each in delivery["tries"]] == [(204, None)]
    with pytest.raises(WebhookVerificationError):
        call.verify("whsec_" + base64.b64encode(b"x" * 32).decode())
    shown = (await http.get(f"/webhooks/{hook['id']}")).json()
    assert "secret" not in shown
    assert shown["last_success_at"]
    listed = (await http.get("/jobs")).json()["items"]
    assert [each["id"] for each in listed] == [job["id"]]


async def test_failed_calls_are_tried_again_with_the_same_id(
    http: httpx2.AsyncClient, worker: Engine, receiver: Receiver
) -> None:
    hook = await make(http, receiver.url)
    receiver.answers.extend([web.Response(status=500, text="broken"), web.Response(status=302)])
    await submit(http)
    calls = await receiver.until(3)
    delivery = await until_status(http, hook, "delivered")
    assert [each["status_code"] for each in delivery["tries"]] == [500, 302, 204]
    assert delivery["tries"][0]["response"] == "broken"
    assert len({call.headers["webhook-id"] for call in calls}) == 1
    assert len({call.body for call in calls}) == 1
    for call in calls:
        call.verify(hook["secret"])


async def test_endpoint_that_always_fails_is_disabled_and_can_come_back(
    http: httpx2.AsyncClient, worker: Engine, receiver: Receiver
) -> None:
    hook = await make(http, receiver.url)
    receiver.answers.extend(web.Response(status=503) for _ in range(3))
    await submit(http)
    delivery = await until_status(http, hook, "failed")
    assert len(delivery["tries"]) == 3
    shown = (await http.get(f"/webhooks/{hook['id']}")).json()
    assert shown["disabled_reason"] == "failing"
    refused = await http.post(f"/webhooks/{hook['id']}/deliveries/{delivery['id']}/replay")
    assert refused.status_code == 409
    assert (await http.patch(f"/webhooks/{hook['id']}", json={"enabled": True})).json()["disabled_at"] is None
    again = await http.post(f"/webhooks/{hook['id']}/deliveries/{delivery['id']}/replay")
    assert again.status_code == 202
    calls = await receiver.until(4)
    assert calls[3].headers["webhook-id"] == calls[0].headers["webhook-id"]
    assert again.json()["id"] != delivery["id"]
    calls[3].verify(hook["secret"])


async def test_gone_disables_at_once_and_busy_is_waited_for(
    http: httpx2.AsyncClient, worker: Engine, receiver: Receiver
) -> None:
    hook = await make(http, receiver.url)
    receiver.answers.extend([web.Response(status=429, headers={"Retry-After": "1"}), web.Response(status=410)])
    started = asyncio.get_running_loop().time()
    await submit(http)
    await receiver.until(2)
    assert asyncio.get_running_loop().time() - started >= 1
    await until_status(http, hook, "failed")
    assert (await http.get(f"/webhooks/{hook['id']}")).json()["disabled_reason"] == "gone"
    await submit(http)
    assert len(await deliveries(http, hook)) == 1


async def test_rotation_keeps_both_secrets_for_a_while(
    http: httpx2.AsyncClient, worker: Engine, receiver: Receiver
) -> None:
    hook = await make(http, receiver.url)
    rotated = (await http.post(f"/webhooks/{hook['id']}/rotate", json={"overlap": 60})).json()
    assert rotated["secret"] != hook["secret"]
    assert (await http.post(f"/webhooks/{hook['id']}/ping")).status_code == 202
    [call] = await receiver.until(1)
    assert call.verify(hook["secret"]) == call.verify(rotated["secret"])
    assert call.verify(hook["secret"])["type"] == "webhook.ping"
    last = (await http.post(f"/webhooks/{hook['id']}/rotate", json={"overlap": 0})).json()
    await http.post(f"/webhooks/{hook['id']}/ping")
    call = (await receiver.until(2))[1]
    call.verify(last["secret"])
    with pytest.raises(WebhookVerificationError):
        call.verify(rotated["secret"])


async def test_filter_and_the_field_of_a_submit(http: httpx2.AsyncClient, worker: Engine, receiver: Receiver) -> None:
    silent = await make(http, receiver.url, events=[])
    await make(http, f"{receiver.url}/failures", events=["job.failed"])
    await submit(http)
    by_id = await submit(http, webhook=silent["id"])
    await receiver.until(1)
    by_url = await submit(http, webhook=receiver.url)
    calls = await receiver.until(2)
    assert [json.loads(call.body)["data"]["job_id"] for call in calls] == [by_id["id"], by_url["id"]]
    for wrong in ("https://example.org/other", str(new_id())):
        refused = await http.post("/jobs", json={**ECHO, "webhook": wrong})
        assert (refused.status_code, refused.json()["errors"][0]["path"]) == (422, ["body", "webhook"])


@pytest.mark.parametrize("worker", [1], indirect=True)
async def test_slow_receiver_costs_its_timeout_and_no_more(
    http: httpx2.AsyncClient, worker: Engine, receiver: Receiver
) -> None:
    async def slow(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 1024)
            await asyncio.sleep(0.2)

    app = web.Application()
    app.router.add_post("/slow", slow)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]  # aiohttp has no other way to ask
    hook = await make(http, f"http://127.0.0.1:{port}/slow")
    await submit(http)
    delivery = await until_status(http, hook, "failed")
    assert all("no answer within 1 s" in each["error"] for each in delivery["tries"])
    assert all(1000 <= each["duration_ms"] < 20_000 for each in delivery["tries"])
    await runner.cleanup()


async def test_url_that_may_not_be_called_is_refused(http: httpx2.AsyncClient) -> None:
    reasons = {
        "http://10.0.0.1/": "public",
        "https://192.168.1.1/": "public",
        "https://169.254.169.254/latest": "public",
        "https://[::ffff:10.0.0.1]/": "public",
        "https://[fd00::1]/": "public",
        "https://[64:ff9b::a00:1]/": "public",
        "https://user:secret@example.com/": "user name",
        "https://example.com/#x": "fragment",
        "ftp://example.com/": "https://",
        "example.com": "https://",
        "https://example.com:99999/": "port",
    }
    for url, reason in reasons.items():
        answer = await http.post("/webhooks", json={"url": url})
        assert answer.status_code == 422, url
        assert reason in answer.json()["detail"].lower(), url


async def test_name_that_leads_inside_is_not_called(
    serve: Serve, person: Person, worker: Engine, receiver: Receiver, backstage: ApiContainer
) -> None:
    """The api cannot know where a name leads; the worker resolves it once, and connects to what it has checked."""
    server = await serve(webhook_private_networks="10.0.0.0/8")
    headers = {"Authorization": f"Bearer {person.token}"}
    async with httpx2.AsyncClient(base_url=f"{server.url}/api/v1", headers=headers, trust_env=False) as http:
        hook = await make(http, "http://localhost:9/")
        async with backstage.sessions().begin() as db:
            endpoint = await backstage.webhooks().find(db, hook["id"], person.owner)
            assert endpoint is not None
            endpoint.url = "http://0.0.0.0:9/"
        await submit(http)
        delivery = await until_status(http, hook, "failed")
        assert delivery["tries"] == []
        assert receiver.received == []


async def test_endpoints_are_their_owner_s_and_limited(
    http: httpx2.AsyncClient, backstage: ApiContainer, receiver: Receiver
) -> None:
    hook = await make(http, receiver.url)
    stranger = await make_person(backstage)
    foreign = {"Authorization": f"Bearer {stranger.token}"}
    path = f"/webhooks/{hook['id']}"
    for method, where in (
        ("GET", path),
        ("PATCH", path),
        ("DELETE", path),
        ("POST", f"{path}/rotate"),
        ("POST", f"{path}/ping"),
        ("GET", f"{path}/deliveries"),
        ("POST", f"{path}/deliveries/{new_id()}/replay"),
        ("GET", "/webhooks/no-id"),
    ):
        answer = await http.request(method, where, headers=foreign, json={} if method == "PATCH" else None)
        assert answer.status_code == 404, (method, where)
    assert (await http.get("/webhooks", headers=foreign)).json() == {"items": []}
    for _ in range(2):
        await make(http, receiver.url)
    assert (await http.post("/webhooks", json={"url": receiver.url})).status_code == 409
    assert (await http.post("/webhooks", json={"url": receiver.url, "events": ["job.queued"]})).status_code == 422
    assert (await http.delete(path)).status_code == 204
    assert len((await http.get("/webhooks")).json()["items"]) == 2


async def test_deliveries_are_listed_in_pages(http: httpx2.AsyncClient, worker: Engine, receiver: Receiver) -> None:
    hook = await make(http, receiver.url)
    for _ in range(5):
        await http.post(f"/webhooks/{hook['id']}/ping")
    await receiver.until(5)

    async def all_delivered() -> bool:
        return len(await deliveries(http, hook, "?status=delivered")) == 5

    await eventually(all_delivered)
    first = (await http.get(f"/webhooks/{hook['id']}/deliveries?limit=3")).json()
    cursor = first["next_cursor"]
    second = (await http.get(f"/webhooks/{hook['id']}/deliveries?limit=3&cursor={cursor}")).json()
    ids = [each["id"] for each in first["items"] + second["items"]]
    assert len(set(ids)) == 5
    assert ids == sorted(ids, reverse=True)
    assert second["next_cursor"] is None
    wrong = await http.get(f"/webhooks/{hook['id']}/deliveries?limit=3&cursor=nonsense")
    assert wrong.status_code == 422
