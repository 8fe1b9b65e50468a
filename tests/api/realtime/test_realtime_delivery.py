"""What subscribers hear: every event once, in order, whatever happens in between."""

import asyncio
from typing import Any

from api.container import ApiContainer
from common.database.model import Job
from tests.api.realtime.conftest import Person, Server, delta, kill_listeners, submit, succeeded
from tests.api.realtime.listener import Heard, Listener, eventually
from tests.api.realtime.story import WORDS, end, numbers, said, stream


async def test_gap_follows_the_acknowledgement_and_live_follows_the_gap(
    server: Server, backstage: ApiContainer, person: Person, job: Job
) -> None:
    await backstage.events().append([delta(job, word) for word in WORDS[:9]])
    page = await backstage.events().read(job.id)
    async with Listener(server.url, person.token) as listener:
        answer = await listener.subscribe(job.id, after_seq=4, epoch=page.epoch)
        assert answer == {"ok": True, "epoch": page.epoch, "seq": 10, "recovered": True, "was_recovering": True}
        await backstage.events().append([succeeded(job)])
        events = await listener.until_type("job.succeeded")
    assert numbers(events) == list(range(5, 12))
    assert events[0] == page.events[4].public()
    assert "owner_id" not in events[0]


async def test_acknowledgement_stands_before_the_gap_on_the_wire(
    server: Server, backstage: ApiContainer, person: Person, job: Job
) -> None:
    await backstage.events().append([delta(job, word) for word in WORDS])
    order: list[str] = []
    async with Listener(server.url, person.token) as listener:
        listener.client.on("job:event", lambda _: order.append("event"))
        done = asyncio.Event()

        def acknowledged(_: dict[str, Any]) -> None:
            order.append("ack")
            done.set()

        await listener.client.emit("job:subscribe", {"job_id": str(job.id)}, callback=acknowledged)
        async with asyncio.timeout(60):
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
        assert said(listener.events) == "".join(WORDS)


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
    assert said(heard) == "".join(WORDS)


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
    await backstage.events().append([delta(job, word) for word in WORDS[:20]])
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
            assert await kill_listeners(backstage.redis()) >= 1
            for word in WORDS[start : start + 100]:
                await backstage.events().append([delta(job, word)])
        await backstage.events().append([succeeded(job)])
        events = await listener.until_type("job.succeeded")
        assert await listener.until(lambda _: len(listener.named("job:resync")) == 5)
    assert numbers(events) == list(range(1, 503))
    assert said(events) == "".join(WORDS)


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
    await end(backstage, job)
    await backstage.redis().delete(backstage.keys().events(job.id))
    async with Listener(server.url, person.token) as listener:
        answer = await listener.subscribe(job.id, after_seq=1, epoch="gone")
        assert (answer["recovered"], answer["snapshot"]["status"]) == (False, "cancelled")
        events = await listener.until_type("job.cancelled")
        assert [event["type"] for event in events] == ["job.queued", "job.cancelled"]
        assert events[-1]["data"]["error"]["code"] == "cancelled"
        async with Listener(server.url, person.token) as second:
            await second.subscribe(job.id)
            assert await second.until_type("job.cancelled") == events


async def test_end_that_nobody_published_is_found_on_the_row(
    server: Server, backstage: ApiContainer, person: Person, job: Job
) -> None:
    async with Listener(server.url, person.token) as listener:
        await listener.subscribe(job.id)
        await end(backstage, job)
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
    async with server.bus.watch(job.id) as watch, asyncio.timeout(60):
        await backstage.events().append([delta(job, "a")])
        event = await watch.next()
        assert event is not None
        assert (event.type, event.seq) == ("llm.delta", 2)
        await kill_listeners(backstage.redis())
        assert await watch.next() is None
        await backstage.events().append([succeeded(job)])
        assert (await watch.next()) is not None


async def test_fifty_cuts_of_the_bus_are_mended_within_seconds_and_lose_nothing(
    server: Server, backstage: ApiContainer, person: Person, job: Job
) -> None:
    slowest, loop = 0.0, asyncio.get_running_loop()
    async with Listener(server.url, person.token) as listener:
        await listener.subscribe(job.id)
        for number in range(2, 52):
            await kill_listeners(backstage.redis())
            cut_at = loop.time()
            await backstage.events().append([delta(job, str(number))])
            await listener.until(lambda _, wanted=number: len(listener.events) >= wanted)  # type: ignore[misc]
            slowest = max(slowest, loop.time() - cut_at)
    assert numbers(listener.events) == list(range(1, 52))
    assert slowest <= 5
