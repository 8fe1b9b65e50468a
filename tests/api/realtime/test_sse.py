"""Events over plain HTTP: streams that resume, end and refuse, and pages of the same log."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from api.container import ApiContainer
from common.database.model import Job
from common.ids import new_id
from tests.api.realtime.conftest import Person, Serve, Server, delta, kill_listeners, make_person, submit, succeeded
from tests.api.realtime.listener import eventually
from tests.api.realtime.sse import Frame, Reader, open_stream
from tests.api.realtime.story import WORDS, end, stream


def url_of(server: Server, job: Job, query: str = "") -> str:
    return f"{server.url}/api/v1/jobs/{job.id}/events{query}"


def told(frames: list[Frame]) -> list[dict[str, Any]]:
    return [frame.data for frame in frames if "seq" in frame.data and "type" in frame.data]


async def ask(server: Server, person: Person, path: str, **headers: str) -> httpx2.Response:
    async with httpx2.AsyncClient(base_url=server.url, timeout=60, trust_env=False) as client:
        return await client.get(path, headers={"Authorization": f"Bearer {person.token}", **headers})


async def until_idle(server: Server) -> None:
    await eventually(lambda: len(server.streams.streams) == 0 and server.streams.relay.feed_count == 0)


async def test_stream_tells_everything_and_ends(
    server: Server, backstage: ApiContainer, person: Person, job: Job
) -> None:
    async with open_stream(url_of(server, job), person.token) as reader:
        assert reader.response.headers["content-type"].startswith("text/event-stream")
        first = await reader.next()
        assert first is not None
        assert (first.name, first.data["recovered"], first.data["was_recovering"]) == ("subscribed", True, False)
        await stream(backstage, job, WORDS[:50])
        frames = await reader.all()
    page = await backstage.events().read(job.id)
    assert told(frames) == [event.public() for event in page.events]
    assert [frame.id for frame in frames[:-1]] == [f"{page.epoch}:{number}" for number in range(1, 53)]
    assert (frames[-2].name, frames[-1].name, frames[-1].id) == ("job.succeeded", "end", None)
    await until_idle(server)


async def test_last_event_id_continues_and_a_client_that_has_all_is_told_to_stay_away(
    server: Server, backstage: ApiContainer, person: Person, job: Job
) -> None:
    await stream(backstage, job, WORDS[:20])
    async with open_stream(url_of(server, job), person.token) as reader:
        for _ in range(8):
            await reader.next()
    async with open_stream(url_of(server, job), person.token, reader.last_id) as again:
        frames = await again.all()
    assert frames[0].data["was_recovering"]
    assert frames[0].data["recovered"]
    assert [event["seq"] for event in told(frames)] == list(range(8, 23))
    async with open_stream(url_of(server, job, "?after_seq=20"), person.token) as third:
        assert [event["seq"] for event in told(await third.all())] == [21, 22]
    await end(backstage, job)
    assert (await ask(server, person, url_of(server, job), **{"Last-Event-ID": str(again.last_id)})).status_code == 204


async def test_gap_that_is_gone_is_announced_with_a_snapshot(
    server: Server, backstage: ApiContainer, person: Person, job: Job
) -> None:
    await backstage.events().append([delta(job, "lost")])
    old = await backstage.events().read(job.id)
    await backstage.redis().flushdb()
    async with open_stream(url_of(server, job), person.token, f"{old.epoch}:2") as reader:
        first = await reader.next()
        assert first is not None
        assert (first.data["recovered"], first.data["snapshot"]["id"]) == (False, str(job.id))
        await backstage.events().append([delta(job, "new")])
        live = await reader.next()
        assert live is not None
        assert (live.data["seq"], live.data["data"]) == (1, {"text": "new"})
        await backstage.redis().flushdb()
        await backstage.events().append([delta(job, "newer")])
        names = [frame.name for frame in [await reader.next(), await reader.next()] if frame]
        assert names == ["reset", "llm.delta"]


async def test_end_and_lifecycle_outlive_the_log(
    server: Server, backstage: ApiContainer, person: Person, job: Job
) -> None:
    await backstage.redis().flushdb()
    await end(backstage, job)
    async with open_stream(url_of(server, job), person.token) as reader:
        frames = await reader.all()
    assert [frame.name for frame in frames] == ["subscribed", "job.queued", "job.cancelled", "end"]
    assert frames[0].data["recovered"] is False
    page = (await ask(server, person, url_of(server, job), Accept="application/json")).json()
    assert [event["type"] for event in page["events"]] == ["job.queued", "job.cancelled"]
    assert page["has_ended"]


async def test_stream_survives_a_bus_that_is_cut(
    server: Server, backstage: ApiContainer, person: Person, job: Job
) -> None:
    async with open_stream(url_of(server, job), person.token) as reader:
        await reader.next()
        for number in range(60):
            if number % 20 == 0:
                await kill_listeners(backstage.redis())
            await backstage.events().append([delta(job, str(number))])
        await backstage.events().append([succeeded(job)])
        frames = await reader.all()
    assert [event["seq"] for event in told(frames)] == list(range(1, 63))


async def test_silence_is_kept_alive_and_a_stopping_process_ends_its_streams(
    serve: Serve, person: Person, job: Job
) -> None:
    server = await serve(sse_heartbeat=timedelta(milliseconds=50))
    async with open_stream(url_of(server, job), person.token) as reader:
        await reader.next()
        await reader.next()
        reading = asyncio.create_task(reader.all())
        await eventually(lambda: reader.comments >= 3)
        server.streams.stop()
        assert await reading == []
    assert (await ask(server, person, url_of(server, job), Accept="text/event-stream")).status_code == 503


async def test_token_that_is_revoked_ends_the_stream(
    serve: Serve, backstage: ApiContainer, person: Person, job: Job
) -> None:
    server = await serve(token_recheck_interval=timedelta(seconds=0.2))
    async with open_stream(url_of(server, job), person.token) as reader:
        await reader.next()
        async with backstage.sessions().begin() as db:
            user = await backstage.users().find(db, person.owner.user_id)
            assert user is not None
            user.is_active = False
        last = (await reader.all())[-1]
    assert (last.name, last.data["code"]) == ("disconnect", "unauthorized")
    await until_idle(server)


async def test_all_of_ones_jobs_and_nobody_else_s(server: Server, backstage: ApiContainer, person: Person) -> None:
    stranger = await make_person(backstage)
    async with open_stream(f"{server.url}/api/v1/events", person.token) as reader:
        first = await reader.next()
        assert first is not None
        assert first.name == "subscribed"
        await submit(backstage, stranger.owner)
        job = await submit(backstage, person.owner)
        await backstage.events().append([delta(job, "not told here"), succeeded(job)])
        frames = [await reader.next(), await reader.next()]
    assert [(frame.name, frame.data["job_id"]) for frame in frames if frame] == [
        ("job.queued", str(job.id)),
        ("job.succeeded", str(job.id)),
    ]
    await until_idle(server)


@pytest.mark.parametrize(
    ("headers", "query", "status"),
    [
        ({"Last-Event-ID": "nonsense"}, "", 400),
        ({"Last-Event-ID": "abc:-1"}, "", 400),
        ({}, "?after_seq=-1", 422),
        ({}, "?after_seq=x", 422),
    ],
)
async def test_wrong_place_is_refused(
    server: Server, person: Person, job: Job, headers: dict[str, str], query: str, status: int
) -> None:
    assert (await ask(server, person, url_of(server, job, query), **headers)).status_code == status


async def test_who_may_read_and_how_much(serve: Serve, backstage: ApiContainer, person: Person, job: Job) -> None:
    server = await serve(max_user_clients=1, environment="staging")
    stranger = await make_person(backstage)
    assert (await ask(server, stranger, url_of(server, job))).status_code == 404
    assert (await ask(server, person, f"{server.url}/api/v1/jobs/{new_id()}/events")).status_code == 404
    async with httpx2.AsyncClient(trust_env=False) as client:
        assert (await client.get(url_of(server, job))).status_code == 401
    async with open_stream(url_of(server, job), person.token) as reader:
        await reader.next()
        refused = await ask(server, person, f"{server.url}/api/v1/events")
        assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
        assert int(refused.headers["retry-after"]) >= 1
    await until_idle(server)
    async with open_stream(url_of(server, job), person.token) as reader:
        assert (await reader.next()) is not None


async def test_reader_that_stops_reading_is_ended_without_filling_memory(
    serve: Serve, backstage: ApiContainer, person: Person, job: Job
) -> None:
    server = await serve(max_client_backlog=100, slow_client_timeout=timedelta(seconds=0.3))
    async with open_stream(url_of(server, job), person.token) as reader:
        await reader.next()
        for _ in range(400):
            await backstage.events().append([delta(job, "x" * 50_000)])
        await eventually(lambda: server.streams.streams.dropped_slow == 1)
        frames = await _rest(reader)
    assert frames[-1].name == "disconnect"
    assert frames[-1].data["code"] == "slow_client"
    seen = told(frames)
    firsts = [event.get("first_seq", event["seq"]) for event in seen]
    assert firsts == [1, *(event["seq"] + 1 for event in seen[:-1])]


async def _rest(reader: Reader) -> list[Frame]:
    return await reader.all()


async def test_pages_of_the_log_and_waiting_for_the_next(
    server: Server, backstage: ApiContainer, person: Person, job: Job
) -> None:
    path, place = url_of(server, job), {"after_seq": 0, "epoch": ""}
    seen: list[dict[str, Any]] = []
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(stream(backstage, job, WORDS[:300]))
        while not seen or seen[-1]["type"] != "job.succeeded":
            query = f"?after_seq={place['after_seq']}" + (f"&epoch={place['epoch']}" if place["epoch"] else "")
            answer = await ask(server, person, path + query, Accept="application/json", Prefer="wait=5")
            page = answer.json()
            assert page["recovered"]
            assert answer.headers["preference-applied"] == "wait=5"
            seen += page["events"]
            place = {"after_seq": page["seq"], "epoch": page["epoch"]}
    assert [event["seq"] for event in seen] == list(range(1, 303))
    assert page["has_ended"]
    await backstage.redis().flushdb()
    await end(backstage, job)
    lost = (await ask(server, person, f"{path}?after_seq=9&epoch={place['epoch']}", Accept="application/json")).json()
    assert (lost["recovered"], lost["snapshot"]["status"]) == (False, "cancelled")
