"""What subscribers hear: every event once, in order, whatever happens in between."""

import asyncio
from typing import Any

from sqlalchemy import text

from api.container import ApiContainer
from common.database.model import Job
from common.events import NewEvent
from tests.api.realtime.conftest import Person, Serve, Server, delta, kill_listeners, submit, succeeded
from tests.api.realtime.listener import Heard, Listener, eventually

_WORDS = [f"word{number} " for number in range(500)]


def said(events: list[dict[str, Any]]) -> str:
    return "".join(event["data"]["text"] for event in events if event["type"] == "llm.delta")


def numbers(events: list[dict[str, Any]]) -> list[int]:
    return [event["seq"] for event in events]


async def stream(container: ApiContainer, job: Job, words: list[str] = _WORDS) -> None:
    """What a worker that streams does, one event at a time and as fast as it goes."""
    for word in words:
        await container.events().append([delta(job, word)])
    await container.events().append([succeeded(job)])


async def test_gap_follows_the_acknowledgement_and_live_follows_the_gap(
    server: Server, backstage: ApiContainer, person: Person, job: Job
) -> None:
    await backstage.events().append([delta(job, word) for word in _WORDS[:9]])
    page = await backstage.events().read(job.id)
    async with Listener(server.url, person.token) as listener:
        answer = await listener.subscribe(job.id, after_seq=4, epoch=page.epoch)
        assert answer == {"ok": True, "epoch": page.epoch, "seq": 10, "recovered": True}
        await backstage.events().append([succeeded(job)])
        events = await listener.until_type("job.succeeded")
    assert numbers(events) == list(range(5, 12))
    assert events[0] == page.events[4].public()
    assert "owner_id" not in events[0]


async def test_acknowledgement_stands_before_the_gap_on_the_wire(
    server: Server, backstage: ApiContainer, person: Person, job: Job
) -> None:
    await backstage.events().append([delta(job, word) for word in _WORDS])
    order: list[str] = []
    async with Listener(server.url, person.token) as listener:
        listener.client.on("job:event", lambda _: order.append("event"))
        done = asyncio.Event()

        def acknowledged(_: dict[str, Any]) -> None:
            order.append("ack")
            done.set()

        await listener.client.emit("job:subscribe", {"job_id": str(job.id)}, callback=acknowledged)
        async with asyncio.timeout(10):
            await done.wait()
    assert order[0] == "ack"


async def test_subscribers_who_join_a_fast_stream_hear_the_whole(
    server: Server, backstage: ApiContainer, person: Person, job: Job
) -> None:
    listeners = [Listener(server.url, person.token) for _ in range(5)]

    async def join_after(listener: Listener, seq: int) -> None:
        async with server.bus.watch(job.id) as watch:
            while seq and (event := await watch.next()) is not None and event.seq < seq:
                pass
        async with listener:
            assert (await listener.subscribe(job.id))["recovered"]
            await listener.until_type("job.succeeded")

    async with asyncio.TaskGroup() as tasks:
        for place, listener in enumerate(listeners):
            tasks.create_task(join_after(listener, place * 100))
        tasks.create_task(stream(backstage, job))
    for listener in listeners:
        assert numbers(listener.events) == list(range(1, 503))
        assert said(listener.events) == "".join(_WORDS)


async def test_client_that_comes_and_goes_misses_nothing(
    server: Server, backstage: ApiContainer, person: Person, job: Job
) -> None:
    heard: list[dict[str, Any]] = []
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(stream(backstage, job))
        while not heard or heard[-1]["type"] != "job.succeeded":
            async with Listener(server.url, person.token) as listener:
                last = {"after_seq": heard[-1]["seq"], "epoch": heard[-1]["epoch"]} if heard else {}
                assert (await listener.subscribe(job.id, **last))["recovered"]
                await _next_part(listener, goal=heard[-1]["seq"] + 60 if heard else 60)
            heard += listener.events
    assert numbers(heard) == list(range(1, 503))
    assert said(heard) == "".join(_WORDS)


async def _next_part(listener: Listener, *, goal: int) -> None:
    def is_enough(_: list[Heard]) -> bool:
        last = listener.events[-1] if listener.events else None
        return last is not None and (last["seq"] >= goal or last["type"] == "job.succeeded")

    await listener.until(is_enough)


async def test_emptied_redis_is_announced_and_delivery_goes_on(
    server: Server, backstage: ApiContainer, person: Person, job: Job
) -> None:
    async with Listener(server.url, person.token) as listener:
        before = await listener.subscribe(job.id)
        await backstage.events().append([delta(job, "lost ")])
        await listener.until(lambda _: len(listener.events) == 2)
        await backstage.redis().flushdb()
        await backstage.events().append([delta(job, "new "), delta(job, "words")])
        await backstage.events().append([succeeded(job)])
        await listener.until_type("job.succeeded")
        names = [name for name, _ in listener.heard if name != "job:update"]
        assert names == ["job:event"] * 2 + ["job:reset"] + ["job:event"] * 3
        reset = listener.named("job:reset")[0]
        assert reset["epoch"] != before["epoch"]
        assert (reset["job_id"], reset["seq"], reset["snapshot"]["status"]) == (str(job.id), 0, "queued")
        assert numbers(listener.events) == [1, 2, 1, 2, 3]
        assert said(listener.events[2:]) == "new words"

    async with Listener(server.url, person.token) as listener:
        answer = await listener.subscribe(job.id, after_seq=2, epoch=before["epoch"])
        assert (answer["recovered"], answer["seq"], answer["epoch"]) == (False, 0, reset["epoch"])
        assert answer["snapshot"]["id"] == str(job.id)
        assert numbers(await listener.until_type("job.succeeded")) == [1, 2, 3]


async def test_trimmed_log_is_not_called_recovered(
    server: Server, backstage: ApiContainer, person: Person, job: Job
) -> None:
    await backstage.events().append([delta(job, word) for word in _WORDS[:20]])
    await backstage.redis().xtrim(backstage.keys().events(job.id), maxlen=5, approximate=False)
    async with Listener(server.url, person.token) as listener:
        answer = await listener.subscribe(job.id, after_seq=3)
        assert (answer["recovered"], answer["seq"]) == (False, 16)
        await listener.until(lambda _: len(listener.events) == 5)
    assert numbers(listener.events) == [17, 18, 19, 20, 21]


async def test_cut_bus_connections_lose_nothing(
    server: Server, backstage: ApiContainer, person: Person, job: Job
) -> None:
    async with Listener(server.url, person.token) as listener:
        await listener.subscribe(job.id)
        for start in range(0, 500, 100):
            await eventually(lambda: server.bus.is_connected)
            assert await kill_listeners(backstage.redis()) == 1
            for word in _WORDS[start : start + 100]:
                await backstage.events().append([delta(job, word)])
        await backstage.events().append([succeeded(job)])
        events = await listener.until_type("job.succeeded")
        assert await listener.until(lambda _: len(listener.named("job:resync")) == 5)
    assert numbers(events) == list(range(1, 503))
    assert said(events) == "".join(_WORDS)


async def test_end_that_came_while_the_bus_was_cut_arrives_afterwards(
    server: Server, backstage: ApiContainer, person: Person, job: Job
) -> None:
    async with Listener(server.url, person.token) as listener:
        await listener.subscribe(job.id)
        await listener.until(lambda _: len(listener.events) == 1)
        assert await kill_listeners(backstage.redis())
        await backstage.events().append([succeeded(job)])
        assert numbers(await listener.until_type("job.succeeded")) == [1, 2]


async def test_messages_that_are_not_ours_are_dropped(
    server: Server, backstage: ApiContainer, person: Person, job: Job
) -> None:
    redis, keys = backstage.redis(), backstage.keys()
    rubbish = [b"", b"\x80\x04}q\x00.", b"null", b"5", b'"text"', b"{}", b"[null]", b"[{}]", b"[" * 5000]
    rubbish += [b'{"method":"emit"}', b'{"method":"shutdown"}', b'{"method":"disconnect","sid":7}', b"[1]"]
    async with Listener(server.url, person.token) as listener:
        await listener.subscribe(job.id)
        for message in rubbish:
            await redis.publish(keys.event_channel, message)
            await redis.publish(keys.socketio_channel, message)
        await redis.publish(keys.socketio_channel, b"x" * 2_000_000)
        await backstage.events().append([succeeded(job)])
        assert numbers(await listener.until_type("job.succeeded")) == [1, 2]
        assert server.bus.is_connected
        assert server.bus.connections == 1
        assert server.bus.malformed == 2 * len(rubbish) + 1


async def test_ended_job_whose_log_has_expired_still_tells_its_end(
    server: Server, backstage: ApiContainer, person: Person, job: Job
) -> None:
    await _end(backstage, job)
    await backstage.redis().delete(backstage.keys().events(job.id))
    async with Listener(server.url, person.token) as listener:
        answer = await listener.subscribe(job.id, after_seq=1, epoch="gone")
        assert (answer["recovered"], answer["snapshot"]["status"]) == (False, "cancelled")
        events = await listener.until_type("job.cancelled")
        assert [event["data"]["error"]["code"] for event in events] == ["cancelled"]
        async with Listener(server.url, person.token) as second:
            await second.subscribe(job.id)
            assert await second.until_type("job.cancelled") == events


async def test_end_that_nobody_published_is_found_on_the_row(
    server: Server, backstage: ApiContainer, person: Person, job: Job
) -> None:
    async with Listener(server.url, person.token) as listener:
        await listener.subscribe(job.id)
        await _end(backstage, job)
        events = await listener.until_type("job.cancelled")
    assert numbers(events) == [1, 2]


async def test_own_jobs_are_followed_without_subscribing(
    server: Server, backstage: ApiContainer, person: Person, job: Job
) -> None:
    async with Listener(server.url, person.token) as listener:
        other = await submit(backstage, person.owner)
        await listener.subscribe(job.id)
        for each in (job, other):
            await backstage.events().append([delta(each, "text"), succeeded(each)])
        await listener.until(lambda heard: _ended(heard, "job:update") == 2 and _ended(heard, "job:event") == 1)
        updates = [(event["job_id"], event["type"]) for event in listener.named("job:update")]
        assert updates == [
            (str(other.id), "job.queued"),
            (str(job.id), "job.succeeded"),
            (str(other.id), "job.succeeded"),
        ]
        assert [(event["job_id"], event["seq"]) for event in listener.events] == [(str(job.id), n) for n in (1, 2, 3)]


def _ended(heard: list[Heard], name: str) -> int:
    return sum(event == name and data["type"] == "job.succeeded" for event, data in heard)


async def test_unsubscribed_job_is_silent_and_costs_nothing(
    server: Server, backstage: ApiContainer, person: Person, job: Job
) -> None:
    other = await submit(backstage, person.owner)
    async with Listener(server.url, person.token) as listener:
        for _ in range(2):
            await listener.subscribe(job.id, after_seq=1)
        await listener.subscribe(other.id, after_seq=1)
        assert server.realtime.relay.feed_count == 2
        assert (await listener.ask("job:unsubscribe", {"job_id": str(job.id)})) == {"ok": True}
        assert server.realtime.relay.feed_count == 1
        await backstage.events().append([delta(job, "unheard"), delta(other, "heard")])
        await listener.until(lambda _: bool(listener.events))
        assert [event["job_id"] for event in listener.events] == [str(other.id)]
    await eventually(lambda: server.realtime.relay.feed_count == 0)


async def test_watch_hears_one_job_inside_the_process(server: Server, backstage: ApiContainer, job: Job) -> None:
    async with server.bus.watch(job.id) as watch, asyncio.timeout(10):
        await backstage.events().append([delta(job, "a")])
        event = await watch.next()
        assert event is not None
        assert (event.type, event.seq) == ("llm.delta", 2)
        await kill_listeners(backstage.redis())
        assert await watch.next() is None
        await backstage.events().append([succeeded(job)])
        assert (await watch.next()) is not None


async def test_two_processes_tell_the_same(serve: Serve, backstage: ApiContainer, person: Person, job: Job) -> None:
    first, second = await serve(), await serve()
    async with Listener(first.url, person.token) as here, Listener(second.url, person.token) as there:
        for listener in (here, there):
            await listener.subscribe(job.id)
        await stream(backstage, job, _WORDS[:100])
        for listener in (here, there):
            assert numbers(await listener.until_type("job.succeeded")) == list(range(1, 103))
        await first.realtime.server.emit("notice", {"text": "to all"})
        for listener in (here, there):
            await _noticed(listener)
        sid = there.client.get_sid()
        await first.realtime.server.disconnect(sid)
        async with asyncio.timeout(10):
            await there.disconnected.wait()


async def _noticed(listener: Listener) -> None:
    await listener.until(lambda _: bool(listener.named("notice")))


async def _end(container: ApiContainer, job: Job) -> None:
    """The job was cancelled long ago, and nobody published it."""
    change = "status = 'cancelled', error = :error, finished_at = now() - interval '2 hours'"
    values = {"id": job.id, "error": '{"code": "cancelled", "message": "cancelled"}'}
    async with container.sessions().begin() as db:
        await db.execute(text(f"UPDATE jobs SET {change} WHERE id = :id"), values)


async def test_event_of_a_later_attempt_passes(
    server: Server, backstage: ApiContainer, person: Person, job: Job
) -> None:
    async with Listener(server.url, person.token) as listener:
        await listener.subscribe(job.id)
        await backstage.events().append([delta(job, "first"), NewEvent(job.id, job.owner_id, "llm.reset", 2)])
        assert await backstage.events().append([delta(job, "outdated")]) == [0]
        await backstage.events().append([NewEvent(job.id, job.owner_id, "job.succeeded", 2)])
        assert numbers(await listener.until_type("job.succeeded")) == [1, 2, 3, 4]


async def test_job_that_is_cancelled_while_it_waits_for_a_retry_tells_its_end(
    server: Server, backstage: ApiContainer, person: Person, job: Job
) -> None:
    retrying = NewEvent(job.id, job.owner_id, "job.retrying", job.attempt, ends_attempt=True)
    async with Listener(server.url, person.token) as listener:
        await listener.subscribe(job.id)
        await backstage.events().append([retrying])
        assert await backstage.events().append([NewEvent(job.id, job.owner_id, "llm.delta", job.attempt)]) == [0]
        await listener.ask("job:cancel", {"job_id": str(job.id)})
        await listener.until_type("job.cancelled")
        await backstage.queue().retry(job.id, person.owner)
        await backstage.events().append([NewEvent(job.id, job.owner_id, "job.started", job.attempt + 1)])
        events = await listener.until_type("job.started")
    assert [event["type"] for event in events[1:]] == ["job.retrying", "job.cancelled", "job.queued", "job.started"]
