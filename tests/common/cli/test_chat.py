"""`letuin threads` and `letuin chat`, against a running api, a worker and a provider."""

import asyncio
import json
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from common.config import CommonSettings
from tests.api.agent_worker import FLOWS
from tests.fixtures.letuin import command, environment, letuin
from tests.fixtures.provider import Provider, Reply
from tests.fixtures.stores import Stores
from tests.fixtures.workers import running_worker
from worker import agent


@pytest.fixture
async def url(
    stores: Stores, settings: CommonSettings, provider: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[str]:
    """An api that needs no token, and a worker for agents, with one more flow."""
    monkeypatch.setattr(agent, "__path__", [*agent.__path__, FLOWS])
    variables = {"DATA_DIR": str(tmp_path / "data"), "API_PORT": "0", "LOG_LEVEL": "INFO"}
    env = {"PATH": os.environ["PATH"], **stores.environment, **variables}
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "api.main", env=env, stderr=PIPE)
    assert process.stderr is not None
    values = {
        "data_dir": tmp_path / "data",
        "openai_base_url": provider.url,
        "openai_api_key": "a-key-of-this-test",
        "default_model": "gpt-4o-mini",
        "worker_queues": "agent",
    }
    try:
        found = ""
        async with asyncio.timeout(60):
            while b"startup complete" not in (line := await process.stderr.readline()):
                assert line, "the api ended"
                found = match[1].decode() if (match := re.search(rb'url"?[=:] ?"?(http[^\s"]+)', line)) else found
        async with running_worker(settings, **values):
            yield found
    finally:
        process.kill()
        await process.communicate()


@pytest.mark.e2e
async def test_a_conversation_from_the_command_line(url: str, provider: Provider, tmp_path: Path) -> None:
    async def run(*arguments: str, stdin: str = "") -> CompletedProcess[str]:
        where = {"LETUIN_URL": url}
        return await asyncio.to_thread(letuin, *arguments, folder=tmp_path, env=where, stdin=stdin)

    provider.script(Reply(("Hello ", "Ada")), Reply(("You are ", "Ada")), Reply(("Bye",)), Reply(ending="held"))
    first = await run("chat", "-m", "I am Ada")
    found = re.search(r"chat (\S+)", first.stderr)
    assert found, first.stderr
    thread_id = found[1]
    assert (first.returncode, first.stdout) == (0, "Hello Ada\n")

    piped = await run("chat", thread_id, stdin="Who am I?\n\nthanks\n")
    assert (piped.returncode, piped.stdout) == (0, "You are Ada\nBye\n")
    assert "\x1b" not in piped.stdout + piped.stderr

    shown = json.loads((await run("threads", "show", thread_id, "--json")).stdout)
    assert [each["content"] for each in shown["messages"]][-2:] == ["thanks", "Bye"]
    assert thread_id in (await run("threads", "list")).stdout

    env = environment(tmp_path, {"LETUIN_URL": url})
    provider.asked.clear()
    talking = await asyncio.create_subprocess_exec(*command("chat", thread_id, "-m", "wait"), env=env, stderr=PIPE)
    await asyncio.wait_for(provider.asked.wait(), 60)
    talking.send_signal(signal.SIGINT)
    _, said = await asyncio.wait_for(talking.communicate(), 60)
    assert (talking.returncode, b"Stopped" in said) == (130, True), said
    jobs = json.loads((await run("jobs", "list", "--kind", "agent.run", "--json")).stdout)["items"]
    assert jobs[0]["status"] in ("running", "cancelled")

    assert (await run("collections", "create", "books")).returncode == 0
    asked = await run("chat", "--flow", "form", "--collection", "books", "-m", "a trip")
    found = re.search(r"chat (\S+)", asked.stderr)
    assert found, asked.stderr
    assert (asked.returncode, "Where to? [JSON or text]" in asked.stderr) == (0, True)
    told = await run("chat", found[1], "-m", '{"city": "부산"}')
    assert "Where to?" in told.stderr
    assert json.loads(told.stdout) == {"city": "부산"}

    asking = await asyncio.create_subprocess_exec(*command("ask", "books", "how?"), env=env, stderr=PIPE)
    jobs = []
    async with asyncio.timeout(60):
        while not jobs:
            jobs = json.loads((await run("jobs", "list", "--kind", "rag.answer", "--json")).stdout)["items"]
    asking.send_signal(signal.SIGINT)
    _, said = await asyncio.wait_for(asking.communicate(), 60)
    jobs = json.loads((await run("jobs", "list", "--kind", "rag.answer", "--json")).stdout)["items"]
    assert (asking.returncode, b"Stopped" in said, jobs[0]["status"]) == (130, True, "cancelled")

    assert (await run("threads", "delete", thread_id)).returncode == 0
    assert (await run("chat", thread_id, "-m", "still there?")).returncode == 2
