"""Who may connect and what they may ask."""

import asyncio
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
import socketio  # type: ignore[import-untyped]

from api.container import ApiContainer
from common.database.model import Job, Role
from common.ids import new_id
from common.repository.job import Owner
from common.repository.user import DEFAULT_TENANT_ID, LOCAL_USER
from tests.api.realtime.conftest import Person, Serve, Server, make_person, submit
from tests.api.realtime.listener import Listener, eventually

NOBODY = "00000000-0000-7000-8000-000000000000"


async def test_token_opens_the_door(server: Server, person: Person, job: Job) -> None:
    async with Listener(server.url, person.token) as listener:
        answer = await listener.subscribe(job.id)
    assert answer["ok"]
    assert answer["recovered"]
    assert answer["seq"] == 1
    assert answer["epoch"]


@pytest.mark.parametrize(
    "auth",
    [{"token": "nonsense"}, {"token": ""}, {"token": 7}, {"token": "x" * 5000}, {"tokken": "x"}, "text", [1]],
)
async def test_bad_handshake_is_refused(server: Server, auth: object) -> None:
    refusals: list[Any] = []
    listener = Listener(server.url, auth=auth)
    listener.client.on("connect_error", refusals.append)
    with pytest.raises(socketio.exceptions.ConnectionError):
        await listener.__aenter__()
    await listener.client.shutdown()
    assert refusals[0]["message"] == "unauthorized"


async def test_no_token_is_the_local_user_only_where_that_is_allowed(serve: Serve, backstage: ApiContainer) -> None:
    await make_person(backstage)
    job = await submit(backstage, Owner(DEFAULT_TENANT_ID, LOCAL_USER.id))
    opened, closed = await serve(), await serve(environment="staging")
    async with Listener(opened.url) as listener:
        assert (await listener.subscribe(job.id))["ok"]
    with pytest.raises(socketio.exceptions.ConnectionError):
        await Listener(closed.url).__aenter__()


async def test_token_that_is_revoked_ends_the_connection(serve: Serve, backstage: ApiContainer, person: Person) -> None:
    server = await serve(token_recheck_interval=timedelta(seconds=0.2))
    async with Listener(server.url, person.token) as listener:
        async with backstage.sessions().begin() as db:
            user = await backstage.users().find(db, person.owner.user_id)
            assert user is not None
            user.token_version += 1
        async with asyncio.timeout(60):
            await listener.disconnected.wait()
    assert listener.named("server:disconnect")[0]["code"] == "unauthorized"


async def test_page_of_another_site_is_refused(serve: Serve) -> None:
    server = await serve(cors_origins="https://app.example.org")
    url = f"{server.url}/socket.io/?EIO=4&transport=websocket"
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(url, headers={"Origin": "https://evil.example.org"})
        async with session.ws_connect(url, headers={"Origin": "https://app.example.org"}) as ws:
            assert (await ws.receive_str()).startswith("0{")


async def test_polling_only_by_setting(serve: Serve) -> None:
    async def handshake(server: Server) -> int:
        async with session.get(f"{server.url}/socket.io/?EIO=4&transport=polling") as response:
            return response.status

    async with aiohttp.ClientSession() as session:
        assert await handshake(await serve(socketio_polling=True)) == 200
        assert await handshake(await serve()) == 400


async def test_job_of_somebody_else_does_not_exist(server: Server, backstage: ApiContainer, job: Job) -> None:
    stranger = await make_person(backstage)
    async with Listener(server.url, stranger.token) as listener:
        for event in ("job:subscribe", "job:cancel", "job:unsubscribe"):
            for job_id in (job.id, new_id()):
                answer = await listener.ask(event, {"job_id": str(job_id)})
                assert answer["ok"] is False
                assert answer["error"]["code"] == "not_found"
        await backstage.queue().cancel(job.id, Owner(job.tenant_id, job.owner_id))
        assert (await listener.ask("job:unsubscribe", {"job_id": str(job.id)}))["error"]["code"] == "not_found"
        assert listener.heard == []


@pytest.mark.parametrize(
    ("data", "path"),
    [
        (None, "valid dictionary"),
        ("job", "valid dictionary"),
        ({}, "job_id"),
        ({"job_id": "7"}, "job_id"),
        ({"job_id": 7}, "job_id"),
        ({"job_id": str(new_id()), "after_seq": -1}, "after_seq"),
        ({"job_id": str(new_id()), "after_seq": "1"}, "after_seq"),
        ({"job_id": str(new_id()), "after_seq": 1.5}, "after_seq"),
        ({"job_id": str(new_id()), "epoch": 5}, "epoch"),
        ({"job_id": str(new_id()), "room": "user:1"}, "room"),
        (b"\x00\x01", "valid dictionary"),
    ],
)
async def test_bad_request_is_answered(server: Server, person: Person, data: object, path: str) -> None:
    async with Listener(server.url, person.token) as listener:
        answer = await listener.ask("job:subscribe", data)
        assert answer["ok"] is False
        assert answer["error"]["code"] == "invalid"
        assert path in answer["error"]["message"]
        assert (await listener.ask("room:join", {"room": "user:1"}))["error"]["code"] == "unknown_event"


async def test_message_over_64_kib_ends_the_connection(server: Server, person: Person) -> None:
    async with Listener(server.url, person.token) as listener:
        await listener.client.emit("job:subscribe", {"job_id": "x" * 70_000})
        async with asyncio.timeout(60):
            await listener.disconnected.wait()


async def test_limits_of_one_client_and_one_user(serve: Serve, backstage: ApiContainer, person: Person) -> None:
    server = await serve(max_client_subscriptions=2, max_user_clients=1)
    jobs = [await submit(backstage, person.owner) for _ in range(3)]
    async with Listener(server.url, person.token) as listener:
        answers = [await listener.subscribe(job.id) for job in jobs]
        assert [answer["ok"] for answer in answers] == [True, True, False]
        assert (await listener.ask("job:unsubscribe", {"job_id": str(jobs[0].id)}))["ok"]
        assert (await listener.subscribe(jobs[2].id))["ok"]
        with pytest.raises(socketio.exceptions.ConnectionError):
            await Listener(server.url, person.token).__aenter__()


async def test_cancel(server: Server, backstage: ApiContainer, person: Person, job: Job) -> None:
    async with Listener(server.url, person.token) as listener:
        await listener.subscribe(job.id)
        answer = await listener.ask("job:cancel", {"job_id": str(job.id)})
        assert (answer["ok"], answer["outcome"], answer["job"]["status"]) == (True, "cancelled", "cancelled")
        assert answer["cancel_way"] == "row"
        events = await listener.until_type("job.cancelled")
        assert [event["seq"] for event in events] == [1, 2]


async def test_flood_of_requests_is_refused_and_then_ended(serve: Serve, person: Person) -> None:
    server = await serve(max_client_requests=5)
    async with Listener(server.url, person.token) as listener:
        answers = [await listener.ask("job:unsubscribe", {"job_id": str(new_id())}) for _ in range(20)]
        assert [answer["error"]["code"] for answer in answers[:10]] == ["not_found"] * 10
        assert answers[-1]["error"]["code"] == "rate_limited"
        for _ in range(80):
            await listener.client.emit("anything", {})
        async with asyncio.timeout(60):
            await listener.disconnected.wait()
    assert listener.named("server:disconnect")[0]["code"] == "rate_limited"


async def test_address_has_limits_too(serve: Serve, backstage: ApiContainer, person: Person) -> None:
    crowded = await serve(max_address_clients=1)
    other = await make_person(backstage)
    async with Listener(crowded.url, person.token):
        with pytest.raises(socketio.exceptions.ConnectionError):
            await Listener(crowded.url, other.token).__aenter__()
    await eventually(lambda: crowded.realtime.count == 0)
    async with Listener(crowded.url, other.token):
        pass
    hasty = await serve(max_address_handshakes=1)
    refused = 0
    for _ in range(5):
        listener = Listener(hasty.url, person.token)
        try:
            async with listener:
                pass
        except socketio.exceptions.ConnectionError:
            refused += 1
            await listener.client.shutdown()
    assert 1 <= refused <= 4


async def test_submit_by_message_is_what_it_is_over_http(
    server: Server, backstage: ApiContainer, person: Person
) -> None:
    body = {"kind": "system.echo", "payload": {"message": "hello"}, "tags": ["by-message"]}
    async with Listener(server.url, person.token) as listener, aiohttp.ClientSession() as session:
        answer = await listener.ask("job:submit", {**body, "idempotency_key": "once"})
        assert (answer["ok"], answer["job"]["status"], answer["job"]["tags"]) == (True, "queued", ["by-message"])
        again = await listener.ask("job:submit", {**body, "idempotency_key": "once"})
        assert (again["job"]["id"], again["replayed"]) == (answer["job"]["id"], True)
        headers = {"Authorization": f"Bearer {person.token}", "Idempotency-Key": "once"}
        async with session.post(f"{server.url}/api/v1/jobs", json=body, headers=headers) as response:
            assert response.status == 202
            assert (await response.json())["id"] == answer["job"]["id"]


@pytest.mark.parametrize(
    ("data", "code", "path"),
    [
        (None, "invalid", ["body"]),
        ({"kind": "no.such", "payload": {}}, "unknown_kind", ["body", "kind"]),
        ({"kind": "thread.delete", "payload": {"thread_id": NOBODY, "flow": "x"}}, "unknown_kind", ["body", "kind"]),
        (
            {"kind": "collection.search", "payload": {"collection_id": NOBODY, "query": "x"}},
            "invalid",
            ["body", "payload", "collection_id"],
        ),
        ({"kind": "system.echo", "payload": {"message": 7}}, "invalid", ["body", "payload", "message"]),
        ({"kind": "system.echo", "payload": {"message": "x"}, "extra": 1}, "invalid", ["body", "extra"]),
        ({"kind": "system.echo", "payload": {"message": "x"}, "delay": -1}, "invalid", ["body", "delay"]),
        ({"kind": "system.echo", "payload": {"message": "x"}, "idempotency_key": 7}, "invalid_header", None),
    ],
)
async def test_wrong_submit_by_message_is_refused_with_its_fields(
    server: Server, person: Person, data: object, code: str, path: list[str] | None
) -> None:
    async with Listener(server.url, person.token) as listener:
        answer = await listener.ask("job:submit", data)
    assert (answer["ok"], answer["error"]["code"]) == (False, code)
    if path is not None:
        assert answer["error"]["errors"][0]["path"] == path


async def test_operator_follows_the_tenant_and_nobody_else_does(
    server: Server, backstage: ApiContainer, person: Person
) -> None:
    operator, stranger = await make_person(backstage), await make_person(backstage)
    async with backstage.sessions().begin() as db:
        user = await backstage.users().find(db, operator.owner.user_id)
        assert user is not None
        user.role = Role.OPERATOR
    async with Listener(server.url, operator.token) as listener, Listener(server.url, stranger.token) as other:
        refused = await other.ask("tenant:subscribe", None)
        assert refused["error"]["code"] == "forbidden"
        assert (await listener.ask("tenant:subscribe", {}))["ok"]
        job = await submit(backstage, person.owner)
        await listener.until(lambda _: bool(listener.named("tenant:update")))
        [update] = listener.named("tenant:update")
        assert (update["job_id"], update["type"]) == (str(job.id), "job.queued")
        assert update["owner_id"] == str(person.owner.user_id)
        assert (await listener.ask("tenant:unsubscribe", None))["ok"]
        await submit(backstage, operator.owner)
        await listener.until(lambda _: bool(listener.named("job:update")))
        assert len(listener.named("tenant:update")) == 1
        assert other.heard == []
