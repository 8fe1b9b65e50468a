"""Following a thread: all of its jobs, each event once and in order, over Socket.IO, SSE and the Python client."""

import asyncio
from typing import Any
from uuid import UUID

import httpx2
import pytest

from api.container import ApiContainer
from api.v1.thread.schema import MessagePost, ThreadCreate
from common.client import AsyncLetuinClient, JobEvent, ThreadEvent
from common.database.model import Job
from common.events import NewEvent
from tests.api.realtime.conftest import Person, Serve, Server, delta, kill_listeners, make_person
from tests.api.realtime.listener import Listener
from tests.api.realtime.sse import open_stream
from tests.api.realtime.story import end, tell
from tests.faults.proxy import TcpProxy

WORDS = ["one ", "two ", "three "]


async def create(container: ApiContainer, person: Person) -> UUID:
    thread, _ = await container.thread_service().create(person.owner, ThreadCreate())
    return thread.id


async def say(container: ApiContainer, person: Person, thread_id: UUID) -> Job:
    return (await container.turn_service().post(person.owner, thread_id, MessagePost(content="hello"), "test")).job


async def stream(container: ApiContainer, job: Job) -> None:
    for word in WORDS:
        await tell(container, delta(job, word))


async def cancel(container: ApiContainer, job: Job) -> None:
    """The job ends, in its row and in its log."""
    await end(container, job)
    await tell(container, NewEvent(job.id, job.owner_id, "job.cancelled", 1, {"error": {"code": "cancelled"}}))


def turns(events: list[dict[str, Any]]) -> list[tuple[int, int, str]]:
    return [(event["turn"], event["seq"], event["type"]) for event in events]


def by_turn(told: list[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """Jobs may overlap; within one nothing changes its place."""
    return sorted(told, key=lambda each: each[0])


def whole(turn: int, *, last: str | None = "job.cancelled") -> list[tuple[int, int, str]]:
    told = [(turn, 1, "job.queued"), *((turn, seq, "llm.delta") for seq in (2, 3, 4))]
    return [*told, *([(turn, 5, last)] if last else [])]


async def heard(listener: Listener, count: int) -> list[tuple[int, int, str]]:
    await listener.until(lambda _: len(listener.named("thread:event")) >= count)
    return turns(listener.named("thread:event"))


async def test_a_chat_page_hears_every_turn(
    serve: Serve, server: Server, backstage: ApiContainer, person: Person
) -> None:
    """What runs when it comes, what comes later, a retry; and at another process what it missed."""
    thread_id = await create(backstage, person)
    first = await say(backstage, person, thread_id)
    await stream(backstage, first)
    asked = {"thread_id": str(thread_id)}
    async with Listener(server.url, person.token) as page:
        answer = await page.ask("thread:subscribe", asked)
        assert (answer["recovered"], answer["was_recovering"]) == (True, False)
        assert [(job["job_id"], job["turn"], job["seq"]) for job in answer["jobs"]] == [(str(first.id), 1, 4)]
        await cancel(backstage, first)
        second = await say(backstage, person, thread_id)
        await stream(backstage, second)
        assert by_turn(await heard(page, 9)) == [*whole(1), *whole(2, last=None)]
        assert {event["thread_id"] for event in page.named("thread:event")} == {str(thread_id)}
        assert page.events == []
        await kill_listeners(backstage.redis())
        third = await say(backstage, person, thread_id)
        await page.until(lambda _: (3, 1, "job.queued") in turns(page.named("thread:event")))
        assert (await page.ask("thread:unsubscribe", asked))["ok"]
        again = await page.ask("thread:unsubscribe", asked)
    await cancel(backstage, second)
    await stream(backstage, third)
    await cancel(backstage, third)
    fourth = await say(backstage, person, thread_id)
    places = [{name: event[name] for name in ("turn", "seq", "epoch")} for event in page.named("thread:event")]
    async with Listener((await serve()).url, person.token) as back:
        answer = await back.ask("thread:subscribe", {**asked, "after": _newest(places)})
        assert (answer["ok"], answer["recovered"], answer["was_recovering"]) == (True, True, True)
        told = await heard(back, 6)
        await back.ask("thread:subscribe", {**asked, "after": []})
        replayed = await heard(back, 6 + 16)
        await backstage.turn_service().delete(person.owner, thread_id, "test")
        await back.until(lambda _: bool(back.named("thread:closed")))
    assert again["error"]["code"] == "not_found"
    assert by_turn(told) == [(2, 5, "job.cancelled"), *whole(3)[1:], (4, 1, "job.queued")]
    assert by_turn(replayed[6:]) == [*whole(1), *whole(2), *whole(3), (4, 1, "job.queued")]
    assert str(fourth.id) in {event["job_id"] for event in back.named("thread:event")}


def _newest(places: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a client remembers: the last event of each job that has not ended."""
    return [place for place in {place["turn"]: place for place in places}.values() if place["turn"] != 1]


async def test_a_stream_goes_on_behind_the_last_id(
    serve: Serve, server: Server, backstage: ApiContainer, person: Person
) -> None:
    """The Python client, cut off again and again, and once more at another process with a place that was kept."""
    thread_id = await create(backstage, person)
    first = await say(backstage, person, thread_id)
    seen: list[ThreadEvent] = []
    async with (
        TcpProxy(int(server.url.rpartition(":")[2])) as proxy,
        asyncio.timeout(60),
        AsyncLetuinClient(f"http://127.0.0.1:{proxy.port}", token=person.token) as client,
        asyncio.TaskGroup() as tasks,
    ):
        async for event in client.thread_events(str(thread_id)):
            seen.append(event)
            if len(seen) == 1:
                tasks.create_task(_talk(backstage, person, thread_id, first, proxy))
            if len(seen) == 10:
                break
    third = await say(backstage, person, thread_id)
    await stream(backstage, third)
    async with asyncio.timeout(60), AsyncLetuinClient((await serve()).url, token=person.token) as client:
        async for event in client.thread_events(str(thread_id), seen[-1].place):
            seen.append(event)
            if len(seen) == 14:
                await backstage.turn_service().delete(person.owner, thread_id, "test")
    told = [(event.turn or 0, event.item.seq, event.item.type) for event in seen if isinstance(event.item, JobEvent)]
    assert by_turn(told[:14]) == [*whole(1), *whole(2), *whole(3, last=None)]
    assert {name for _, _, name in told[14:]} <= {"job.cancelled", "job.cancelling"}


async def _talk(container: ApiContainer, person: Person, thread_id: UUID, job: Job, proxy: TcpProxy) -> None:
    for number in range(2):
        proxy.reset()
        await stream(container, job)
        proxy.reset()
        await cancel(container, job)
        if number == 0:
            job = await say(container, person, thread_id)


async def test_threads_of_others_and_places_of_nowhere(server: Server, backstage: ApiContainer, person: Person) -> None:
    thread_id, other = await create(backstage, person), await make_person(backstage)
    url = f"{server.url}/api/v1/threads/{thread_id}/events"
    async with Listener(server.url, other.token) as listener:
        refused = await listener.ask("thread:subscribe", {"thread_id": str(thread_id)})
        wrong = await listener.ask("thread:subscribe", {"thread_id": str(thread_id), "after": [{"turn": 0, "seq": 1}]})
    assert (refused["error"]["code"], wrong["error"]["code"]) == ("not_found", "invalid")
    async with httpx2.AsyncClient(trust_env=False, timeout=60) as client:
        theirs = await client.get(url, headers={"Authorization": f"Bearer {other.token}"})
        headers = {"Authorization": f"Bearer {person.token}", "Last-Event-ID": "3f2a91bc:17"}
        nonsense = await client.get(url, headers=headers)
    assert (theirs.status_code, nonsense.status_code) == (404, 400)
    job = await say(backstage, person, thread_id)
    async with open_stream(url, person.token, "9!") as reader:
        greeting = await reader.next()
    assert greeting is not None
    assert (greeting.data["recovered"], [each["job_id"] for each in greeting.data["jobs"]]) == (False, [str(job.id)])


@pytest.mark.parametrize("seen", ["1!", "1!1..0"])
async def test_a_retried_job_is_told_again(server: Server, backstage: ApiContainer, person: Person, seen: str) -> None:
    """Over for the client, and it runs again: either it goes on behind what was heard, or says that it cannot."""
    thread_id = await create(backstage, person)
    job = await say(backstage, person, thread_id)
    await stream(backstage, job)
    async with open_stream(f"{server.url}/api/v1/threads/{thread_id}/events", person.token, seen) as reader:
        frames = [await reader.next() for _ in range(5)]
    greeting = frames[0]
    assert greeting is not None
    assert greeting.data["jobs"][0]["recovered"] == (seen != "1!")
    assert [frame.data["seq"] for frame in frames[1:] if frame] == [1, 2, 3, 4]
