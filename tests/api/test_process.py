"""`python -m api.main` as a process: its start, its refusals, its weight, its end."""

import asyncio
import os
import re
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

import httpx2
import psutil
import pytest

from tests.api.conftest import ECHO
from tests.fixtures.letuin import letuin
from tests.fixtures.stores import Stores

ROOT = Path(__file__).parents[2]
MAX_MEGABYTES = 160


async def launch(variables: Mapping[str, str]) -> Process:
    environment = {"PATH": os.environ["PATH"], "LOG_LEVEL": "INFO", **variables}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "api.main", env=environment, cwd=ROOT, stderr=PIPE, stdout=PIPE
    )


async def refused(variables: Mapping[str, str]) -> tuple[int | None, str]:
    """The exit code and all that was said."""
    process = await launch(variables)
    async with asyncio.timeout(180):
        out, err = await process.communicate()
    assert out == b""
    return process.returncode, err.decode()


@asynccontextmanager
async def serving(
    stores: Stores, folder: Path, extra: Mapping[str, str] | None = None
) -> AsyncIterator[tuple[Process, str]]:
    """A running api and its URL."""
    process = await launch({**stores.environment, "DATA_DIR": str(folder), "API_PORT": "0", **(extra or {})})
    assert process.stderr is not None
    try:
        async with asyncio.timeout(180):
            url = ""
            while b"startup complete" not in (line := await process.stderr.readline()):
                assert line, "the api ended"
                if found := re.search(rb"url=(\S+)", line):
                    url = found[1].decode()
        yield process, url
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_it_serves_lightly_and_ends_at_once(stores: Stores, tmp_path: Path) -> None:
    async with serving(stores, tmp_path) as (process, url), httpx2.AsyncClient(base_url=url, timeout=60) as client:
        await client.get("/openapi.json")
        for _ in range(50):
            assert (await client.post("/api/v1/jobs", json=ECHO)).status_code == 202
        assert psutil.Process(process.pid).memory_info().rss < MAX_MEGABYTES * 2**20

        waiting = asyncio.create_task(client.post("/api/v1/jobs", json=ECHO, headers={"Prefer": "wait=60"}))
        while len((await client.get("/api/v1/jobs", params={"limit": 60})).json()["items"]) < 51:
            pass
        started = monotonic()
        process.send_signal(signal.SIGTERM)
        answer = await waiting
        async with asyncio.timeout(180):
            code = await process.wait()

    assert (answer.status_code, code) == (202, 0)
    assert monotonic() - started < 55


async def test_bodies_over_a_real_connection(stores: Stores, tmp_path: Path) -> None:
    async with serving(stores, tmp_path) as (_, url), httpx2.AsyncClient(base_url=url, timeout=60) as client:

        async def large() -> AsyncIterator[bytes]:
            for _ in range(200):
                yield b"x" * 65536

        chunked = await client.post("/api/v1/jobs", content=large(), headers={"Content-Type": "application/json"})
        announced = await client.post("/api/v1/jobs", content=b"x" * 3_000_000)
        assert (chunked.status_code, announced.status_code) == (413, 413)
        assert (await client.post("/api/v1/jobs", json=ECHO)).status_code == 202


async def test_port_in_use_is_one_sentence_and_exit_3(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, said = await refused({"ENVIRONMENT": "test", "API_PORT": port, "DATA_DIR": str(tmp_path)})

    assert code == 3
    assert said == (f"127.0.0.1:{port} is in use by another process; stop that process, or set API_HOST and API_PORT\n")


async def test_foreign_address_is_one_sentence_and_exit_3(tmp_path: Path) -> None:
    variables = {"ENVIRONMENT": "staging", "API_HOST": "203.0.113.7", "DATA_DIR": str(tmp_path)}
    code, said = await refused(variables)
    assert (code, said.count("\n")) == (3, 1)
    assert "203.0.113.7" in said


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"ENVIRONMENT": "production"}, "JWT_SECRET must be set"),
        ({"ENVIRONMENT": "prodution"}, "ENVIRONMENT: "),
        ({"ENVIRONMENT": "test", "API_HOST": "0.0.0.0"}, "ALLOW_OPEN_ACCESS_FROM_NETWORK"),
        ({"ENVIRONMENT": "test", "DATA_DIR": "/proc/nowhere"}, "DATA_DIR: /proc/nowhere/jwt-secret cannot be used"),
        ({"ENVIRONMENT": "test", "LOG_FILE_PATH": "/proc/nowhere/app.log"}, "LOG_FILE_PATH: "),
    ],
)
async def test_wrong_setting_is_one_sentence_and_exit_2(variables: dict[str, str], words: str) -> None:
    code, said = await refused(variables)

    assert (code, said.count("\n")) == (2, 1)
    assert words in said


def test_several_processes_end_as_one_does_at_a_wrong_setting(tmp_path: Path) -> None:
    env = {"ENVIRONMENT": "production", "DATA_DIR": str(tmp_path)}
    ended = letuin("api", "--processes", "2", "--port", "0", folder=tmp_path, env=env)

    assert ended.returncode == 2, ended.stderr
    assert "JWT_SECRET must be set" in ended.stderr
