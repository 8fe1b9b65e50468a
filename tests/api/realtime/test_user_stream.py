"""The stream of all of one's jobs: resumed without a hole, or told that there is one; and how long logs may get."""

import asyncio

import pytest

from api.container import ApiContainer
from common.database.model import Job
from common.events import NewEvent
from tests.api.realtime.conftest import Person, Serve, Server, delta, kill_listeners, submit, succeeded
from tests.api.realtime.sse import Frame, Reader, open_stream
from tests.api.realtime.story import tell


async def take(reader: Reader, count: int) -> list[Frame]:
    """The next frames."""
    found: list[Frame] = []
    async with asyncio.timeout(60):
        while len(found) < count:
            frame = await reader.next()
            assert frame is not None
            found.append(frame)
    return found


def names(frames: list[Frame]) -> list[str]:
    return [frame.name for frame in frames]


async def test_what_happened_meanwhile_is_told_in_order(
    server: Server, backstage: ApiContainer, person: Person
) -> None:
    url = f"{server.url}/api/v1/events"
    async with open_stream(url, person.token) as reader:
        [first] = await take(reader, 1)
    assert first.data == {"user_id": str(person.owner.user_id), "recovered": True, "was_recovering": False}
    jobs = [await submit(backstage, person.owner) for _ in range(300)]
    async with open_stream(url, person.token, reader.last_id) as again:
        [greeting, *missed] = await take(again, 301)
        await tell(backstage, delta(jobs[0], "not told here"))
        await tell(backstage, succeeded(jobs[0]))
        [live] = await take(again, 1)
    assert (greeting.data["recovered"], greeting.data["was_recovering"]) == (True, True)
    assert [frame.data["job_id"] for frame in missed] == [str(job.id) for job in jobs]
    assert (live.name, live.data["job_id"]) == ("job.succeeded", str(jobs[0].id))
    async with open_stream(url, person.token, missed[-1].id) as third:
        assert names(await take(third, 2)) == ["subscribed", "job.succeeded"]


async def test_any_process_goes_on_where_another_was(serve: Serve, backstage: ApiContainer, person: Person) -> None:
    one, other = await serve(), await serve()
    async with open_stream(f"{one.url}/api/v1/events", person.token) as reader:
        await take(reader, 1)
    job = await submit(backstage, person.owner)
    async with open_stream(f"{other.url}/api/v1/events", person.token, reader.last_id) as again:
        assert [frame.data.get("job_id") for frame in await take(again, 2)] == [None, str(job.id)]


@pytest.mark.parametrize("place", ["nonsense", "1-1", "99999999999999-0"])
async def test_place_that_is_not_there_is_told(server: Server, person: Person, place: str) -> None:
    async with open_stream(f"{server.url}/api/v1/events", person.token, place) as reader:
        frames = await take(reader, 2)
    assert names(frames) == ["subscribed", "resync"]
    assert not frames[0].data["recovered"]


async def test_log_that_is_lost_is_told_and_the_stream_goes_on(
    server: Server, backstage: ApiContainer, person: Person
) -> None:
    async with open_stream(f"{server.url}/api/v1/events", person.token) as reader:
        await take(reader, 1)
        await backstage.redis().flushdb()
        await submit(backstage, person.owner)
        assert names(await take(reader, 1)) == ["resync"]
        job = await submit(backstage, person.owner)
        [live] = await take(reader, 1)
    assert (live.name, live.data["job_id"]) == ("job.queued", str(job.id))


async def test_cut_bus_connections_lose_nothing(server: Server, backstage: ApiContainer, person: Person) -> None:
    async with open_stream(f"{server.url}/api/v1/events", person.token) as reader:
        await take(reader, 1)
        jobs = []
        for _ in range(3):
            await kill_listeners(backstage.redis())
            jobs += [await submit(backstage, person.owner) for _ in range(5)]
        frames = await take(reader, 15)
    assert [frame.data["job_id"] for frame in frames] == [str(job.id) for job in jobs]


async def test_nobody_listens_nothing_is_kept(backstage: ApiContainer, person: Person) -> None:
    await submit(backstage, person.owner)
    assert not await backstage.redis().exists(backstage.keys().user_events(person.owner.user_id))


async def test_log_of_a_job_has_so_many_bytes(serve: Serve, backstage: ApiContainer, job: Job) -> None:
    """R12: the oldest go, the numbers stay, the newest is always there."""
    container = ApiContainer(settings=backstage.settings().model_copy(update={"event_log_max_bytes": 100_000}))
    log, key = container.events(), backstage.keys().events(job.id)
    for number in range(120):
        await log.append([NewEvent(job.id, job.owner_id, "llm.delta", 1, {"text": f"{number:04}" + "x" * 3000})])
    await log.append([NewEvent(job.id, job.owner_id, "llm.delta", 1, {"text": "y" * 150_000})])
    large = await backstage.events().read(job.id)
    for number in range(60):
        await log.append([NewEvent(job.id, job.owner_id, "llm.delta", 1, {"text": f"{number:04}" + "x" * 3000})])
    kept = await backstage.events().read(job.id)
    await container.redis().aclose()

    assert [event.seq for event in large.events] == [122]
    size = sum(len(fields[b"j"]) for _, fields in await backstage.redis().xrange(key))
    assert 90_000 < size < 100_000 * 1.1
    assert [event.seq for event in kept.events] == list(range(183 - len(kept.events), 183))
    assert not kept.recovered
