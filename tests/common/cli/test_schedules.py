"""`letuin schedules`, against a running api."""

import asyncio
import json
import os
import re
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from common.cli.schedules import app
from tests.fixtures.stores import Stores


@pytest.fixture
async def url(stores: Stores, tmp_path: Path) -> AsyncIterator[str]:
    """An api that needs no token."""
    variables = {"DATA_DIR": str(tmp_path / "data"), "API_PORT": "0", "LOG_LEVEL": "INFO"}
    environment = {"PATH": os.environ["PATH"], **stores.environment, **variables}
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "api.main", env=environment, stderr=PIPE)
    assert process.stderr is not None
    try:
        found = ""
        async with asyncio.timeout(60):
            while b"startup complete" not in (line := await process.stderr.readline()):
                assert line, "the api ended"
                found = match[1].decode() if (match := re.search(rb'url"?[=:] ?"?(http[^\s"]+)', line)) else found
        yield found
    finally:
        process.kill()
        await process.communicate()


@pytest.mark.e2e
async def test_a_schedule_from_the_command_line(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))

    async def run(*arguments: str, fails: bool = False) -> str:
        result = await asyncio.to_thread(CliRunner().invoke, app, [*arguments, "--url", url])
        assert (result.exit_code != 0) == fails, (result.output, result.exception)
        return str(result.exception) if fails else result.stdout.strip()

    when = ("--cron", "30 9 * * 1-5", "--timezone", "Asia/Seoul", "-p", "message=hi")
    made = await run("create", "system.echo", "--name", "report", *when)
    listed = await run("list")
    assert made in listed
    assert "30 9 * * 1-5 Asia/Seoul" in listed
    times = (await run("preview", made, "--count", "2")).splitlines()
    assert [time[11:] for time in times] == ["09:30:00+09:00"] * 2
    job = await run("run-now", made)
    firings = json.loads(await run("firings", made, "--json"))["items"]
    assert [(firing["cause"], firing["job_id"]) for firing in firings] == [("manual", job)]
    assert job in await run("firings", made)
    await run("pause", made)
    assert json.loads(await run("show", made, "--json"))["status"] == "paused"
    await run("resume", made)
    await run("backfill", made, "2026-01-05T00:00:00Z", "2026-01-07T00:00:00Z")
    assert len(json.loads(await run("firings", made, "--json"))["items"]) == 3
    assert "five fields" in await run("create", "system.echo", "--name", "x", "--cron", "nope", fails=True)
    await run("delete", made)
    assert json.loads(await run("list", "--json"))["items"] == []
