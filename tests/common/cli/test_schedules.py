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
from typer import Typer
from typer.testing import CliRunner

from common.cli import mail
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

    async def run(*arguments: str, fails: bool = False, of: Typer = app) -> str:
        result = await asyncio.to_thread(CliRunner().invoke, of, [*arguments, "--url", url])
        assert (result.exit_code != 0) == fails, (result.output, result.exception)
        return str(result.exception) if fails else result.stdout.strip() or result.stderr.strip()

    when = ("--cron", "30 9 * * 1-5", "--timezone", "Asia/Seoul", "-p", "message=hi")
    made = await run("create", "system.echo", "--name", "report", *when)
    listed = await run("list")
    assert made in listed
    assert "30 9 * * 1-5 Asia/Seoul" in listed
    times = (await run("preview", made, "--count", "2")).splitlines()
    assert [time[11:] for time in times] == ["09:30:00+09:00"] * 2
    tried = await run("create", "system.echo", "--name", "x", *when, "--dry-run")
    assert tried.splitlines()[:2] == times
    assert made in await run("list", "--everybody")
    job = await run("run-now", made)
    firings = json.loads(await run("firings", made, "--json"))["items"]
    assert [(firing["cause"], firing["job_id"]) for firing in firings] == [("manual", job)]
    assert job in await run("firings", made)
    await run("pause", made)
    assert json.loads(await run("show", made, "--json"))["status"] == "paused"
    await run("resume", made)
    assert "Fired 2 slots" in await run("backfill", made, "2026-01-05", "2026-01-07")
    assert "Fired nothing" in await run("backfill", made, "2026-01-05T00:00:00+09:00", "2026-01-07")
    assert len(json.loads(await run("firings", made, "--json"))["items"]) == 3
    assert "'soon' is none" in await run("backfill", made, "soon", "2026-01-07", fails=True)

    bounds = ("--starts-at", "2030-01-01T08:00", "--ends-at", "2031-01-01", "--jitter", "30s", "--notify", "failure")
    assert "2030-01-01 09:30:00+09:00" in await run("update", made, *bounds, "-p", "message=changed")
    shown = json.loads(await run("show", made, "--json"))
    assert (shown["starts_at"], shown["jitter"], shown["notify"]) == ("2029-12-31T23:00:00Z", 30, "failure")
    assert (shown["payload"], shown["cron"]) == ({"message": "changed"}, "30 9 * * 1-5")
    await run("update", made, "--starts-at", "none", "--ends-at", "none")
    assert "2031" not in await run("show", made)
    assert "Nothing to change" in await run("update", made, fails=True)
    assert "No schedule is disabled" in await run("list", "--status", "disabled")
    assert "Give one of" in await run("create", "system.echo", "--name", "x", fails=True)
    assert "five fields" in await run("create", "system.echo", "--name", "x", "--cron", "nope", fails=True)
    await run("delete", made)
    assert "No mail is unknown" in await run("outcomes", "--status", "unknown", of=mail.app)
    assert "does not exist" in await run("resend", job, of=mail.app, fails=True)
    assert json.loads(await run("list", "--json"))["items"] == []
