"""`letuin api --processes`: several processes behind one port, another port beside it, and one that is killed."""

import asyncio
import signal
import socket
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import httpx2
import psutil

from api.container import ApiContainer
from common.client import AsyncLetuinClient, JobEvent
from common.database.model import Job
from tests.api.realtime.conftest import Person, Serve, delta, succeeded
from tests.api.realtime.listener import eventually
from tests.api.realtime.story import WORDS, tell
from tests.fixtures.letuin import command, environment
from tests.fixtures.stores import Stores
from tests.metrics.conftest import Figures

SECRET = "an-honest-secret-of-more-than-32-bytes"


@asynccontextmanager
async def processes(folder: Path, stores: Stores, *options: str) -> AsyncIterator[tuple[Process, str]]:
    """`letuin api --processes 2` and its URL, once every process is there."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    variables = {**stores.environment, "JWT_SECRET": SECRET, "METRICS_ACCESS": "public", "API_STOP_TIMEOUT": "5"}
    process = await asyncio.create_subprocess_exec(
        *command("api", "--processes", "2", "--port", str(port), *options),
        cwd=folder,
        env=environment(folder, variables),
        stdout=PIPE,
        stderr=PIPE,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        await until_all_tell(url)
        yield process, url
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def until_all_tell(url: str) -> Figures:
    """What both processes tell, once both do."""
    async with httpx2.AsyncClient(trust_env=False, timeout=60) as client:
        found = Figures()

        async def is_whole() -> bool:
            nonlocal found
            await asyncio.sleep(0.1)
            try:
                found = Figures.read((await client.get(f"{url}/metrics")).text)
            except httpx2.TransportError:
                return False
            return {("letuin_socket_clients", (number,)) for number in "12"} <= found.samples.keys()

        await eventually(is_whole)
        return found


async def follow(url: str, token: str, door: str, job: Job, heard: list[JobEvent]) -> None:
    """Everything of the job through one door, going on wherever it breaks."""
    async with AsyncLetuinClient(url, token=token, doors=[door]) as client:
        async for item in client.events(str(job.id)):
            assert isinstance(item, JobEvent)
            heard.append(item)


async def test_a_killed_process_loses_nobody_anything(
    tmp_path: Path, stores: Stores, serve: Serve, backstage: ApiContainer, person: Person, job: Job
) -> None:
    """Two processes behind one port and one at another, three doors each; the supervisor brings back who died."""
    async with processes(tmp_path, stores) as (supervisor, url):
        other = (await serve(jwt_secret=SECRET)).url
        heard: list[list[JobEvent]] = [[] for _ in range(9)]
        places = [(where, door) for where in (url, url, other) for door in ("socketio", "sse", "poll")]
        async with asyncio.timeout(120), asyncio.TaskGroup() as tasks:
            for (where, door), into in zip(places, heard, strict=True):
                tasks.create_task(follow(where, person.token, door, job, into))
            for word in WORDS[:100]:
                await tell(backstage, delta(job, word))
            await eventually(lambda: all(len(each) > 50 for each in heard))
            victim = psutil.Process(supervisor.pid).children()[0]
            victim.send_signal(signal.SIGKILL)
            for word in WORDS[100:200]:
                await tell(backstage, delta(job, word))
            await tell(backstage, succeeded(job))
        figures = await until_all_tell(url)
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{url}/socket.io/?EIO=4&transport=websocket", compress=15) as offered,
        ):
            assert not offered.compress  # it would double what a delivery costs
        left = psutil.Process(supervisor.pid).children(recursive=True)
        supervisor.send_signal(signal.SIGTERM)
        async with asyncio.timeout(60):
            code = await supervisor.wait()

    for each in heard:
        assert [event.first for event in each] == [1, *(event.seq + 1 for event in each[:-1])]
        said = "".join(event.data["text"] for event in each if event.type == "llm.delta")
        assert (said, each[-1].type) == ("".join(WORDS[:200]), "job.succeeded")
    told = {labels[1] for name, labels in figures.samples if name == "letuin_http_requests_total"}
    assert told <= {"1", "2"}
    assert told
    assert (code, psutil.wait_procs(left, 10)[1]) == (0, [])


async def test_a_port_that_is_taken_and_a_number_that_is_none(tmp_path: Path, stores: Stores) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refusals = (("2", 3, f"127.0.0.1:{port}"), ("65", 2, "API_PROCESSES must be a number from 1 to 64"))
        for count, code, words in refusals:
            process = await asyncio.create_subprocess_exec(
                *command("api", "--port", port),
                cwd=tmp_path,
                env=environment(tmp_path, {**stores.environment, "API_PROCESSES": count}),
                stdout=PIPE,
                stderr=PIPE,
            )
            async with asyncio.timeout(60):
                _, said = await process.communicate()
            assert (process.returncode, words in said.decode()) == (code, True)
