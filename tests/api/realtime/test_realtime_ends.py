"""What several api processes tell, and how jobs end that were retried."""

import asyncio

from api.container import ApiContainer
from common.database.model import Job
from common.events import NewEvent
from tests.api.realtime.conftest import Person, Serve, Server, delta
from tests.api.realtime.listener import Listener
from tests.api.realtime.story import WORDS, noticed, numbers, stream


async def test_two_processes_tell_the_same(serve: Serve, backstage: ApiContainer, person: Person, job: Job) -> None:
    first, second = await serve(), await serve()
    async with Listener(first.url, person.token) as here, Listener(second.url, person.token) as there:
        for listener in (here, there):
            await listener.subscribe(job.id)
        await stream(backstage, job, WORDS[:100])
        for listener in (here, there):
            assert numbers(await listener.until_type("job.succeeded")) == list(range(1, 103))
        await first.realtime.server.emit("notice", {"text": "to all"})
        for listener in (here, there):
            await noticed(listener)
        sid = there.client.get_sid()
        await first.realtime.server.disconnect(sid)
        async with asyncio.timeout(60):
            await there.disconnected.wait()


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
