"""T14: whoever cannot prove to be the server that was meant is told nothing. Mails: `tests/worker/mail`."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trustme
from pydantic import ValidationError
from sqlalchemy import text

from common.config import CommonSettings
from common.database.direct import DirectPool
from common.database.session import create_engine
from common.ports import ChatMessage, ChatRequest
from common.redis import create_redis
from tests.fixtures.workers import worker_settings
from worker.llm_manager import LLMManager

_TLS_REQUEST = 8  # bytes with which a client of PostgreSQL asks for TLS

type Ask = Callable[["Impostor", Path], Awaitable[None]]


@dataclass
class Impostor:
    """A server that waits for secrets. `heard` is what came through its TLS."""

    port: int = 0
    heard: bytearray = field(default_factory=bytearray)
    refused: list[str] = field(default_factory=list)


@asynccontextmanager
async def impostor(tls: ssl.SSLContext, *, is_postgres: bool) -> AsyncIterator[Impostor]:
    found = Impostor()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if is_postgres:
                await reader.readexactly(_TLS_REQUEST)
                writer.write(b"S")
                await writer.drain()
            await writer.start_tls(tls)
            found.heard += await reader.read(1024)
        except (OSError, EOFError) as error:
            found.refused.append(type(error).__name__)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    async with server:
        yield found


def settings(**values: Any) -> CommonSettings:
    return CommonSettings.model_validate({"environment": "test", **values})


async def ask_redis(server: Impostor, authority: Path) -> None:
    url = f"rediss://:sesame@localhost:{server.port}/0?ssl_ca_certs={authority}"
    async with create_redis(settings(redis_url=url)) as redis:
        await redis.ping()


async def ask_postgres(server: Impostor, authority: Path) -> None:
    url = f"postgresql://letuin:sesame@localhost:{server.port}/x?sslmode=verify-full&sslrootcert={authority}"
    engine = create_engine(settings(database_url=url))
    try:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
    finally:
        await engine.dispose()


async def ask_postgres_directly(server: Impostor, authority: Path) -> None:
    url = f"postgresql://letuin:sesame@localhost:{server.port}/x?sslmode=verify-full&sslrootcert={authority}"
    pool = DirectPool(settings(database_url=url))
    try:
        await pool.fetch(text("SELECT 1"), {})
    finally:
        await pool.close()


async def ask_model(server: Impostor, authority: Path) -> None:
    url, key = f"https://localhost:{server.port}/v1", "sesame-open"
    chosen = worker_settings(settings(), openai_base_url=url, openai_api_key=key, default_model="m")
    manager = LLMManager(chosen)
    try:
        async for _ in manager.stream(ChatRequest(messages=[ChatMessage(role="user", content="hello")])):
            pass
    finally:
        await manager.aclose()


CLIENTS: dict[str, Ask] = {
    "Redis": ask_redis,
    "PostgreSQL": ask_postgres,
    "PostgreSQL, direct": ask_postgres_directly,
    "model": ask_model,
}


def server_tls(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


async def try_to_tell(ask: Ask, tls: ssl.SSLContext, trusted: Path, *, is_postgres: bool) -> Impostor:
    async with impostor(tls, is_postgres=is_postgres) as server:
        with suppress(Exception):
            async with asyncio.timeout(60):
                await ask(server, trusted)
    return server


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("fault", ["unknown authority", "another name", "old protocol"])
async def test_impostors_hear_nothing(client: str, fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs, trusted = trustme.CA(), trustme.CA(), tmp_path / "ca.pem"
    ours.cert_pem.write_to_path(trusted)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    tls = server_tls(
        theirs if fault == "unknown authority" else ours, "elsewhere.test" if "name" in fault else "localhost"
    )
    if fault == "old protocol":
        tls.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.warns(DeprecationWarning, match="deprecated"):
            tls.minimum_version = tls.maximum_version = ssl.TLSVersion.TLSv1_1

    server = await try_to_tell(CLIENTS[client], tls, trusted, is_postgres="PostgreSQL" in client)

    assert (bytes(server.heard), bool(server.refused)) == (b"", True)


@pytest.mark.parametrize("client", CLIENTS)
async def test_the_server_that_was_meant_hears_them(
    client: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, trusted = trustme.CA(), tmp_path / "ca.pem"
    ours.cert_pem.write_to_path(trusted)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    server = await try_to_tell(
        CLIENTS[client], server_tls(ours, "localhost"), trusted, is_postgres="PostgreSQL" in client
    )
    assert server.heard


@pytest.mark.parametrize(
    ("query", "words"), [("sslmode=verify", "sslmode must be one of"), ("sslmode=verify-full&sslrootcert=/no", "TLS")]
)
def test_tls_parameters_that_cannot_be_used_stop_the_start(query: str, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        settings(database_url=f"postgresql://u@h/x?{query}")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql:///x?host=/run/postgresql", "postgresql+asyncpg:///x?host=/run/postgresql"),
        ("postgres://u:p@h/x?sslmode=require", "postgresql+asyncpg://u:p@h/x"),
        ("postgres://h/x?sslmode=require&application_name=a", "postgresql+asyncpg://h/x?application_name=a"),
    ],
)
def test_the_rest_of_the_url_stays(url: str, expected: str) -> None:
    assert settings(database_url=url).async_database_url == expected
