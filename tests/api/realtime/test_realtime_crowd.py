"""Many clients, and those who do not keep up."""

import asyncio
import json
import socket
from datetime import timedelta
from typing import Any

import aiohttp
import socketio  # type: ignore[import-untyped]
from aiohappyeyeballs import AddrInfoType

from api.container import ApiContainer
from common.database.model import Job
from tests.api.realtime.conftest import Person, Serve, Server, delta, succeeded
from tests.api.realtime.listener import Listener, eventually

_LARGE = "x" * 50_000


async def connect_raw(
    session: aiohttp.ClientSession, server: Server, person: Person
) -> aiohttp.ClientWebSocketResponse:
    """A websocket that reads only when it is told to."""
    ws = await session.ws_connect(f"{server.url}/socket.io/?EIO=4&transport=websocket")
    await ws.receive_str()
    await ws.send_str("40" + json.dumps({"token": person.token}))
    assert (await ws.receive_str()).startswith("40{")
    return ws


async def test_client_that_does_not_read_is_dropped_and_the_others_go_on(
    serve: Serve, backstage: ApiContainer, person: Person, job: Job
) -> None:
    server = await serve(max_client_backlog=100, slow_client_timeout=timedelta(seconds=3))
    async with aiohttp.ClientSession() as session, Listener(server.url, person.token) as listener:
        deaf = await connect_raw(session, server, person)
        await deaf.send_str("420" + json.dumps(["job:subscribe", {"job_id": str(job.id)}]))
        while not (await deaf.receive_str()).startswith("430"):
            pass
        await listener.subscribe(job.id)
        for _ in range(300):
            await backstage.events().append([delta(job, _LARGE)])
        await backstage.events().append([succeeded(job)])
        events = await listener.until_type("job.succeeded")
        assert [event["seq"] for event in events] == list(range(1, 303))
        await eventually(lambda: server.realtime.clients.dropped_slow == 1)
        last = ""
        async with asyncio.timeout(60):
            async for message in deaf:
                last = message.data if "slow_client" in message.data else last
        assert last


def _narrow(address: AddrInfoType) -> socket.socket:
    """Left alone, the kernel may hold ten megabytes for a client that reads slowly."""
    family, kind, protocol, _, _ = address
    narrow = socket.socket(family, kind, protocol)
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    return narrow


async def test_client_that_reads_slowly_gets_all_of_it_in_larger_pieces(
    serve: Serve, backstage: ApiContainer, person: Person, job: Job
) -> None:
    server = await serve(max_client_backlog=100, slow_client_timeout=timedelta(minutes=2))
    connector = aiohttp.TCPConnector(socket_factory=_narrow)
    async with aiohttp.ClientSession(connector=connector) as session, Listener(server.url, person.token) as quick:
        await quick.subscribe(job.id)
        slow = await connect_raw(session, server, person)
        await slow.send_str("420" + json.dumps(["job:subscribe", {"job_id": str(job.id)}]))
        while not (await slow.receive_str()).startswith("430"):
            pass
        for first in range(0, 1500, 50):
            some = range(first, first + 50)
            await backstage.events().append([delta(job, f"{number} {'x' * 7000} ") for number in some])
        await backstage.events().append([succeeded(job)])
        await quick.until_type("job.succeeded")  # by now the server has it all, and one client reads nothing
        heard: list[dict[str, Any]] = []
        while not heard or heard[-1]["type"] != "job.succeeded":
            packet = (await slow.receive_str()).removeprefix("42")
            if packet.startswith('["job:event"'):
                heard.append(json.loads(packet)[1])
    firsts = [event.get("first_seq", event["seq"]) for event in heard]
    assert firsts == [1, *(event["seq"] + 1 for event in heard[:-1])]
    assert len(heard) < 1502
    text = "".join(event["data"]["text"] for event in heard if event["type"] == "llm.delta")
    assert text == "".join(f"{number} {'x' * 7000} " for number in range(1500))
    assert server.realtime.clients.dropped_slow == 0


async def test_long_history_comes_at_the_reader_s_pace(
    serve: Serve, backstage: ApiContainer, person: Person, job: Job
) -> None:
    server = await serve(max_client_backlog=300)
    for _ in range(10):
        await backstage.events().append([delta(job, "word ") for _ in range(300)])
    await backstage.events().append([succeeded(job)])
    async with Listener(server.url, person.token) as listener:
        await listener.subscribe(job.id)
        events = await listener.until_type("job.succeeded")
    assert [event["seq"] for event in events] == list(range(1, 3003))
    assert server.realtime.clients.dropped_slow == 0


async def test_fifty_clients_of_one_job_hear_the_same(
    server: Server, backstage: ApiContainer, person: Person, job: Job
) -> None:
    listeners = [Listener(server.url, person.token) for _ in range(50)]
    await asyncio.gather(*(listener.__aenter__() for listener in listeners))
    try:
        await asyncio.gather(*(listener.subscribe(job.id) for listener in listeners))
        for number in range(100):
            await backstage.events().append([delta(job, str(number))])
        await backstage.events().append([succeeded(job)])
        heard = await asyncio.gather(*(listener.until_type("job.succeeded") for listener in listeners))
        assert all([event["seq"] for event in events] == list(range(1, 103)) for events in heard)
    finally:
        await asyncio.gather(*(listener.__aexit__() for listener in listeners))


async def test_stock_manager_of_another_process_reaches_clients(
    server: Server, backstage: ApiContainer, person: Person
) -> None:
    stock: Any = socketio.AsyncRedisManager(
        backstage.settings().redis_url.get_secret_value(), channel=backstage.keys().socketio_channel, write_only=True
    )
    async with Listener(server.url, person.token) as listener:
        await stock.emit("notice", {"text": "to you"}, room=f"user:{person.owner.user_id}")
        await stock.emit("notice", {"text": "not to you"}, room="user:somebody-else")
        await stock.emit("notice", {"text": "bytes", "raw": b"\x00"})
        await listener.until(lambda _: len(listener.named("notice")) == 2)
        assert [notice["text"] for notice in listener.named("notice")] == ["to you", "bytes"]
    await stock.redis.aclose()
