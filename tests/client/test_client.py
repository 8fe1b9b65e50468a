"""Submitting, waiting and following through the Python client, by every door."""

import asyncio
import os
import subprocess
import sys
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from api.container import ApiContainer
from common.client import ApiError, AsyncLetuinClient, JobEvent, JobFailedError, JobReset, LetuinClient, Place
from common.client.errors import UnreachableError
from common.database.model import Job
from common.jobs.system_echo import SystemEchoPayload, SystemEchoResult, system_echo
from tests.api.realtime.conftest import Person, Server, delta, kill_listeners, make_person, succeeded
from tests.api.realtime.story import WORDS, stream, tell
from tests.faults.proxy import TcpProxy
from worker.engine import Engine

DOORS = [("socketio",), ("sse",), ("poll",), ("socketio", "sse", "poll")]
_ROOT = Path(__file__).parents[2]
_HEAVY = ("sqlalchemy", "fastapi", "redis", "arq", "asyncpg", "socketio", "aiohttp")


def open_client(server: Server, person: Person, **changes: Any) -> AsyncLetuinClient:
    return AsyncLetuinClient(server.url, token=person.token, **{"patience": 10.0, **changes})


@pytest.mark.parametrize("doors", DOORS)
async def test_events_come_once_and_in_order_by_every_door(
    server: Server, backstage: ApiContainer, person: Person, job: Job, doors: tuple[str, ...]
) -> None:
    async with open_client(server, person, doors=doors) as client, asyncio.TaskGroup() as tasks:
        tasks.create_task(stream(backstage, job, WORDS[:200]))
        seen = [item async for item in client.events(str(job.id))]
    page = await backstage.events().read(job.id)
    assert [item.model_dump(mode="json", exclude={"first_seq"}) for item in seen if isinstance(item, JobEvent)] == [
        event.public() for event in page.events
    ]


@pytest.mark.parametrize("door", ["socketio", "sse"])
async def test_silence_is_no_absence(
    server: Server, backstage: ApiContainer, person: Person, job: Job, door: str
) -> None:
    """A door that was open and quiet for longer than the client is patient may break, and the client goes on."""
    async with TcpProxy(int(server.url.rpartition(":")[2])) as proxy:
        url, seen = f"http://127.0.0.1:{proxy.port}", []
        async with AsyncLetuinClient(url, token=person.token, doors=[door], patience=1.0) as client:
            async for item in client.events(str(job.id)):
                seen.append(item)
                if item.seq == 1:
                    asyncio.get_running_loop().call_later(1.2, proxy.reset)
                    asyncio.get_running_loop().call_later(1.3, asyncio.create_task, tell(backstage, succeeded(job)))
    assert [item.seq for item in seen] == [1, 2]


@pytest.mark.soak  # the pause hits everybody on the server, other tests as well
@pytest.mark.parametrize("doors", DOORS[:3])
async def test_stall_of_redis_costs_time_and_no_event(
    server: Server, backstage: ApiContainer, person: Person, job: Job, doors: tuple[str, ...]
) -> None:
    async with open_client(server, person, doors=doors) as client, asyncio.TaskGroup() as tasks:
        tasks.create_task(stream(backstage, job, WORDS[:200]))
        seen = []
        async for item in client.events(str(job.id)):
            seen.append(item)
            if item.seq == 50:
                await backstage.redis().client_pause(1200)  # over REDIS_TIMEOUT
    page = await backstage.events().read(job.id)
    assert [item.seq for item in seen] == list(range(1, 203))
    assert [event.seq for event in page.events] == [item.seq for item in seen]


@pytest.mark.parametrize("doors", DOORS)
async def test_lost_log_is_a_reset_and_a_place_is_gone_on_from(
    server: Server, backstage: ApiContainer, person: Person, job: Job, doors: tuple[str, ...]
) -> None:
    await backstage.events().append([delta(job, "one"), delta(job, "two")])
    async with open_client(server, person, doors=doors) as client:
        async with aclosing(client.events(str(job.id))) as events:
            first = [await anext(events), await anext(events)]
        last = first[-1]
        assert (last.seq, last.epoch is not None) == (2, True)
        await backstage.redis().flushdb()
        await backstage.events().append([delta(job, "new")])
        await backstage.events().append([succeeded(job)])
        items = [item async for item in client.events(str(job.id), Place(last.seq, last.epoch))]
    assert [type(item) for item in items] == [JobReset, JobEvent, JobEvent]
    reset = items[0]
    assert isinstance(reset, JobReset)
    assert reset.job is not None
    assert (reset.job.id, reset.seq) == (str(job.id), 0)
    assert [item.seq for item in items[1:]] == [1, 2]


async def test_typed_results_cancel_and_failure(server: Server, person: Person, worker: Engine) -> None:
    async with open_client(server, person) as client:
        echo = await client.submit(system_echo, SystemEchoPayload(message="hello"), tags=["mine"])
        assert await echo.result(20) == SystemEchoResult(message="hello")
        assert [item.type async for item in echo.events() if isinstance(item, JobEvent)][-1] == "job.succeeded"
        sleep = await client.submit("system.sleep", {"seconds": 60}, idempotency_key="only-once")
        assert (await client.submit("system.sleep", {"seconds": 60}, idempotency_key="only-once")).id == sleep.id
        with pytest.raises(TimeoutError):
            await sleep.wait(0.3)
        await sleep.cancel()
        with pytest.raises(JobFailedError) as failed:
            await sleep.result(20)
        assert failed.value.status == "cancelled"
        with pytest.raises(ApiError) as conflict:
            await client.cancel(echo.id)
        assert (conflict.value.status, conflict.value.code) == (409, "conflict")
        with pytest.raises(ApiError) as invalid:
            await client.submit("system.echo", {"message": 7})
        assert invalid.value.errors[0]["path"] == ["body", "payload", "message"]


@pytest.mark.parametrize("doors", DOORS[:3])
async def test_refusals_are_errors(server: Server, backstage: ApiContainer, job: Job, doors: tuple[str, ...]) -> None:
    stranger = await make_person(backstage)
    async with open_client(server, stranger, doors=doors) as client:
        with pytest.raises(ApiError) as missing:
            await anext(client.events(str(job.id)))
    assert missing.value.status == 404


async def test_api_that_is_away_is_waited_for_but_not_for_ever() -> None:
    async with AsyncLetuinClient("http://127.0.0.1:9", patience=0.5) as client:
        with pytest.raises(UnreachableError):
            await client.job("x")
        with pytest.raises(UnreachableError):
            await anext(client.events("x"))
    with pytest.raises(ValueError, match="pigeon"):
        AsyncLetuinClient(doors=["pigeon"])


async def test_blocking_client_does_the_same(
    server: Server, backstage: ApiContainer, person: Person, worker: Engine
) -> None:
    def work() -> list[str]:
        with LetuinClient(server.url, token=lambda: person.token) as client:
            job = client.submit(system_echo, SystemEchoPayload(message="hello"))
            assert job.result(20).message == "hello"
            assert client.wait(job.id).status == client.job(job.id).status == "succeeded"
            with pytest.raises(ApiError):
                client.cancel(job.id)
            return [item.type for item in job.events() if isinstance(item, JobEvent)]

    working = asyncio.create_task(asyncio.to_thread(work))
    await kill_listeners(backstage.redis())
    assert await working == ["job.queued", "job.started", "job.succeeded"]


def test_import_is_light() -> None:
    program = f"import sys, common.client; print([name for name in {_HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


async def test_example_shows_a_job_to_its_end(server: Server, person: Person, worker: Engine) -> None:
    environment = {**os.environ, "LETUIN_URL": server.url, "LETUIN_TOKEN": person.token, "PYTHONPATH": str(_ROOT)}
    argv = [sys.executable, str(_ROOT / "examples/python/progress.py"), "0.3"]
    process = await asyncio.create_subprocess_exec(*argv, env=environment, stdout=asyncio.subprocess.PIPE)
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0
    lines = output.decode().splitlines()
    assert lines[:2] == ["1 job.queued", "2 job.started"]
    assert "100%" in lines
    assert lines[-1].startswith("slept 0.")
