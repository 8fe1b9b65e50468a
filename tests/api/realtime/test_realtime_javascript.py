"""The official JavaScript client, from npm, against a real server."""

import asyncio
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from api.container import ApiContainer
from common.database.model import Job
from tests.api.realtime.conftest import Person, Server, delta, kill_listeners, succeeded

_SOURCE = Path(__file__).parents[2] / "e2e" / "js"
_FILES = ("package.json", "package-lock.json", "follow.mjs")


@pytest.fixture(scope="session")
def program() -> Path:
    """`follow.mjs` with its packages, installed once a version and kept in the user's cache folder."""
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("node and npm are not installed; the JavaScript client cannot be tried")
    digest = hashlib.sha256(b"".join((_SOURCE / name).read_bytes() for name in _FILES)).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "letuin"
    folder = cache / f"js-{digest}"
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        _install(cache, folder)
    return folder / "follow.mjs"


def _install(cache: Path, folder: Path) -> None:
    """Beside its place first: other test processes may be doing the same."""
    with tempfile.TemporaryDirectory(dir=cache) as draft:
        inside = Path(draft) / "js"
        inside.mkdir()
        for name in _FILES:
            shutil.copy(_SOURCE / name, inside)
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=inside, check=True)
        with suppress(OSError):
            inside.rename(folder)


@asynccontextmanager
async def follow(program: Path, server: Server, job: Job, *args: str) -> AsyncIterator[Process]:
    argv = ["node", str(program), server.url, str(job.id), *args]
    process = await asyncio.create_subprocess_exec(*argv, stdout=PIPE)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def read(process: Process) -> dict[str, Any]:
    assert process.stdout is not None
    async with asyncio.timeout(60):
        line: dict[str, Any] = json.loads(await process.stdout.readline())
    return line


async def read_all(process: Process) -> list[dict[str, Any]]:
    assert process.stdout is not None
    async with asyncio.timeout(60):
        return [json.loads(line) async for line in process.stdout]


async def test_whole_stream_arrives_in_order(
    program: Path, server: Server, backstage: ApiContainer, person: Person, job: Job
) -> None:
    words = [f"word{number} " for number in range(300)]
    async with follow(program, server, job, person.token) as process:
        ack = await read(process)
        assert (ack["name"], ack["data"]["ok"], ack["data"]["seq"]) == ("ack", True, 1)
        for word in words:
            if word == "word150 ":
                await kill_listeners(backstage.redis())
            await backstage.events().append([delta(job, word)])
        await backstage.events().append([succeeded(job)])
        events = [line["data"] for line in await read_all(process)]
        assert await process.wait() == 0
    assert [event["seq"] for event in events] == list(range(1, 303))
    assert "".join(event["data"]["text"] for event in events[1:-1]) == "".join(words)


async def test_client_continues_by_itself_after_losing_its_connection(
    program: Path, server: Server, backstage: ApiContainer, person: Person, job: Job
) -> None:
    async with follow(program, server, job, person.token) as process:
        assert (await read(process))["name"] == "ack"
        assert (await read(process))["data"]["seq"] == 1
        for socket in list(server.realtime.server.eio.sockets.values()):
            await socket.close(wait=False)
            await socket.queue.put(None)
        await backstage.events().append([delta(job, "missed "), delta(job, "words")])
        await backstage.events().append([succeeded(job)])
        lines = await read_all(process)
        assert await process.wait() == 0
    assert [line["name"] for line in lines] == ["disconnect", "ack", *["job:event"] * 3]
    assert lines[1]["data"]["recovered"] is True
    assert [line["data"]["seq"] for line in lines[2:]] == [2, 3, 4]


async def test_bad_token_is_a_connect_error(program: Path, server: Server, job: Job) -> None:
    async with follow(program, server, job, "nonsense") as process:
        lines = await read_all(process)
        assert await process.wait() == 1
    assert lines == [{"name": "connect_error", "data": {"message": "unauthorized"}}]
