"""`letuin register`, `verify-email`, `login` and `logout`, against a running api."""

import asyncio
import json
import os
import re
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from subprocess import CompletedProcess

import asyncpg
import pytest

from common.config import CommonSettings, Environment
from common.mail.sealing import open_variables
from common.mail.templates import MailTemplate
from common.vault import Vault
from tests.fixtures.letuin import letuin
from tests.fixtures.stores import Stores

_PASSWORD = "correct horse battery"


@pytest.fixture
async def api(stores: Stores, tmp_path: Path) -> AsyncIterator[str]:
    """The URL of an api that asks everybody for a token."""
    variables = {"ENVIRONMENT": "staging", "DATA_DIR": str(tmp_path / "data"), "API_PORT": "0", "LOG_LEVEL": "INFO"}
    environment = {"PATH": os.environ["PATH"], **stores.environment, **variables, "REGISTRATION_ENABLED": "true"}
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "api.main", env=environment, stderr=PIPE)
    assert process.stderr is not None
    try:
        async with asyncio.timeout(60):
            url = ""
            while b"startup complete" not in (line := await process.stderr.readline()):
                assert line, "the api ended"
                url = found[1].decode() if (found := re.search(rb'url"?[=:] ?"?(http[^\s"]+)', line)) else url
        yield url
    finally:
        process.kill()
        await process.communicate()


async def code_of(stores: Stores, data_dir: Path) -> str:
    connection = await asyncpg.connect(stores.database_url)
    payload = await connection.fetchval("SELECT payload FROM jobs WHERE kind = 'email.send' ORDER BY id DESC LIMIT 1")
    await connection.close()
    mail = json.loads(payload)
    vault = Vault(CommonSettings(environment=Environment.TEST, data_dir=data_dir))
    return str(open_variables(vault, mail["sealed"], MailTemplate(mail["template"]), mail["to"])["code"])


def kept_tokens(folder: Path) -> Path:
    (kept,) = folder.rglob("tokens.json")
    return kept


async def test_an_account_from_the_command_line(api: str, stores: Stores, tmp_path: Path) -> None:
    async def run(*arguments: str, stdin: str = "") -> CompletedProcess[str]:
        command = partial(letuin, *arguments, folder=tmp_path, env={"LETUIN_URL": api}, stdin=stdin)
        return await asyncio.to_thread(command)

    assert (await run("jobs", "list")).returncode == 2
    registered = await run("register", "ada@example.com", "--name", "Ada", "--password-stdin", stdin=_PASSWORD)
    assert (registered.returncode, "letuin verify-email" in registered.stderr) == (0, True), registered.stderr
    refused = await run("register", "eve@example.com", "--password-stdin", stdin="password1")
    assert (refused.returncode, "first that are tried" in refused.stderr) == (2, True)
    assert "not valid" in (await run("verify-email", "no-code")).stderr
    assert (await run("verify-email", await code_of(stores, tmp_path / "data"))).returncode == 0
    assert (await run("login", "ada@example.com", "--password-stdin", stdin=_PASSWORD)).returncode == 0
    kept = kept_tokens(tmp_path)
    assert kept.stat().st_mode & 0o777 == 0o600
    assert (await run("jobs", "list", "--json")).returncode == 0

    first = json.loads(kept.read_text())[api]
    kept.write_text(json.dumps({api: {**first, "expires_at": time.time()}}))
    assert (await run("jobs", "list", "--json")).returncode == 0
    second = json.loads(kept.read_text())[api]
    assert second["refresh_token"] != first["refresh_token"]

    assert (await run("logout")).returncode == 0
    assert json.loads(kept.read_text()) == {}
    kept.write_text(json.dumps({api: second}))
    assert (await run("jobs", "list")).returncode == 2
