"""`letuin jobs watch` through a network that closes doors and breaks connections."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from api.container import ApiContainer
from common.database.model import Job
from tests.api.realtime.conftest import Person, Server, api_settings, backstage, job, person, serve, server
from tests.api.realtime.story import WORDS, end, stream
from tests.fixtures.letuin import letuin

__all__ = ["api_settings", "backstage", "job", "person", "serve", "server"]

_MANY = 4000


@asynccontextmanager
async def proxy(server: Server, *, closed: tuple[bytes, ...], cut_after: int) -> AsyncIterator[str]:
    """A way to the server that refuses some paths, and breaks each stream of events after so many bytes."""
    port = int(server.url.rpartition(":")[2])

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.read(_MANY)
        if not any(head.split(b" ", 2)[1].startswith(path) for path in closed):
            upstream, onward = await asyncio.open_connection("127.0.0.1", port)
            onward.write(head)
            told, is_stream = 0, False
            while (chunk := await upstream.read(500)) and told < cut_after:
                is_stream = is_stream or b"text/event-stream" in chunk
                told += len(chunk) if is_stream else 0
                writer.write(chunk)
                if not is_stream and not upstream.at_eof() and chunk.endswith(b"}"):
                    break  # a whole answer: one request a connection
            onward.close()
        writer.close()

    listening = await asyncio.start_server(relay, "127.0.0.1", 0)
    async with listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"


async def watch(url: str, person: Person, job: Job, folder: Path) -> CompletedProcess[str]:
    variables = {"LETUIN_URL": url, "LETUIN_TOKEN": person.token}
    return await asyncio.to_thread(
        partial(letuin, "jobs", "watch", str(job.id), "--json", folder=folder, env=variables, stdin="")
    )


@pytest.mark.parametrize("closed", [(), (b"/socket.io/",)], ids=["all doors", "no Socket.IO"])
async def test_every_event_comes_once_whatever_breaks(
    server: Server, backstage: ApiContainer, person: Person, job: Job, tmp_path: Path, closed: tuple[bytes, ...]
) -> None:
    async with proxy(server, closed=closed, cut_after=5000) as url, asyncio.TaskGroup() as tasks:
        tasks.create_task(stream(backstage, job, WORDS[:100]))
        done = await watch(url if closed else server.url, person, job, tmp_path)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["seq"] for event in lines[:-1]] == list(range(1, 103)), done.stderr
    assert (lines[-2]["type"], lines[-1]["id"]) == ("job.succeeded", str(job.id))


async def test_end_is_told_though_its_event_is_lost(
    server: Server, backstage: ApiContainer, person: Person, job: Job, tmp_path: Path
) -> None:
    await end(backstage, job)
    done = await watch(server.url, person, job, tmp_path)
    assert done.returncode == 1
    assert json.loads(done.stdout.splitlines()[-2])["type"] == "job.cancelled"


async def test_refusals_are_one_sentence(server: Server, person: Person, job: Job, tmp_path: Path) -> None:
    stranger = Person(person.owner, "nonsense")
    done = await watch(server.url, stranger, job, tmp_path)
    assert (done.returncode, "letuin login" in done.stderr) == (2, True), done.stderr
