"""What `letuin doctor` looks at: one function a server. Each says how it is and how to mend it."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

import asyncpg
import httpx2
from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError
from redis import RedisError
from redis.asyncio import Redis

from common.cli.migrate import newest_revision
from common.cli.urls import place_of
from common.database.tls import tls_arguments, without_tls

_LIMIT = 5.0


class Verdict(StrEnum):
    """How a check ended; only `fail` makes the command fail."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report; `mend` says what to do, where something is to be done."""

    verdict: Verdict
    detail: str
    mend: str = ""


Check = Callable[[str], Awaitable[Finding]]


async def run_check(check: Check, url: str, *, variable: str) -> Finding:
    """The finding of a check; a server that does not answer in 5 s is a failure, whatever it raised."""
    place = place_of(url)
    mend = f"start the server, or `letuin up`, or correct {variable}"
    try:
        async with asyncio.timeout(_LIMIT):
            return await check(url)
    except TimeoutError:
        return Finding(Verdict.FAIL, f"no answer from {place} within {_LIMIT:g} s", mend)
    except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        return Finding(Verdict.FAIL, f"{place}: {_reason(error)}", mend)
    except (RedisError, PyMongoError, httpx2.HTTPError, httpx2.InvalidURL) as error:
        return Finding(Verdict.FAIL, f"{place}: {_reason(error)}", mend)


async def check_postgres(url: str) -> Finding:
    """It answers, and its tables are those of this version."""
    plain = f"postgresql://{without_tls(url).partition('://')[2]}"
    connection = await asyncpg.connect(plain, timeout=_LIMIT, **tls_arguments(url))
    try:
        version = connection.get_server_version()
        has_table = await connection.fetchval("SELECT to_regclass('alembic_version') IS NOT NULL")
        found = await connection.fetchval("SELECT version_num FROM alembic_version") if has_table else None
    finally:
        await connection.close()
    about = f"PostgreSQL {version.major}.{version.minor} at {place_of(url)}"
    if found != (newest := newest_revision()):
        return Finding(Verdict.FAIL, f"{about}: revision {found or 'none'}, needed {newest}", "run `letuin migrate`")
    return Finding(Verdict.OK, f"{about}, revision {found}")


async def check_redis(url: str) -> Finding:
    """It answers, never evicts, and keeps what it holds over a restart."""
    async with Redis.from_url(url, socket_timeout=_LIMIT, decode_responses=True) as redis:
        server, memory, disk = [await redis.info(part) for part in ("server", "memory", "persistence")]
    name = (
        f"{server.get('server_name', 'redis').capitalize()} {server.get('valkey_version') or server['redis_version']}"
    )
    about = f"{name} at {place_of(url)}"
    if (policy := memory.get("maxmemory_policy", "noeviction")) != "noeviction":
        detail = f"{about} evicts keys ({policy})"
        return Finding(Verdict.WARN, detail, "set maxmemory-policy to noeviction; evicted events cannot be replayed")
    if not disk.get("aof_enabled"):
        detail = f"{about} keeps no append-only file"
        return Finding(Verdict.WARN, detail, "set appendonly yes; jobs are safe, but live events end with a restart")
    return Finding(Verdict.OK, f"{about}, no eviction, append-only file")


async def check_mongo(url: str) -> Finding:
    """It answers a ping."""
    client: AsyncMongoClient[dict[str, object]] = AsyncMongoClient(url, serverSelectionTimeoutMS=int(_LIMIT * 900))
    async with client as mongo:
        await mongo.admin.command("ping")
    return Finding(Verdict.OK, f"MongoDB at {place_of(url)}")


def chroma_check(token: str | None) -> Check:
    """Its heartbeat answers, and a proxy in front of it takes CHROMA_TOKEN."""

    async def check(url: str) -> Finding:
        headers = {"Authorization": f"Bearer {token}"} if token else None
        (await ask(f"{url.rstrip('/')}/api/v2/heartbeat", headers)).raise_for_status()
        return Finding(Verdict.OK, f"Chroma at {place_of(url)}")

    return check


async def check_smtp(url: str) -> Finding:
    """It greets."""
    parts = urlsplit(url)
    is_tls = parts.scheme in ("smtps", "smtp+tls")
    context = ssl.create_default_context() if is_tls else None
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port or (465 if is_tls else 25), ssl=context)
    try:
        greeting = (await reader.readline()).decode(errors="replace").strip()
        writer.write(b"QUIT\r\n")
        await writer.drain()
    finally:
        writer.close()
    if not greeting.startswith("220"):
        return Finding(Verdict.FAIL, f"{place_of(url)} greets with {greeting!r}", "correct SMTP_URL")
    return Finding(Verdict.OK, f"SMTP at {place_of(url)}")


def model_check(key: str | None) -> Check:
    """The check of an OpenAI-compatible endpoint: it lists its models, with this key."""

    async def check_model(url: str) -> Finding:
        response = await ask(f"{url.rstrip('/')}/models", {"Authorization": f"Bearer {key}"} if key else {})
        if response.status_code in (httpx2.codes.UNAUTHORIZED, httpx2.codes.FORBIDDEN):
            return Finding(Verdict.FAIL, f"{place_of(url)} refuses the key", "correct OPENAI_API_KEY")
        names = [str(model["id"]) for model in response.raise_for_status().json()["data"]]
        return Finding(Verdict.OK, f"{place_of(url)} offers {', '.join(names[:3])}{' …' if len(names) > 3 else ''}")

    return check_model


async def check_api(url: str) -> Finding:
    """Its health says that all is well."""
    health = (await ask(f"{url}/health")).json()
    sick = sorted(name for name, state in health["services"].items() if state != "healthy")
    about = f"Letuin {health['version']} ({health['environment']}) at {place_of(url)}"
    if sick:
        return Finding(Verdict.WARN, f"{about} is {health['status']}: {', '.join(sick)}", "see the lines above")
    return Finding(Verdict.OK, about)


async def ask(url: str, headers: Mapping[str, str] | None = None) -> httpx2.Response:
    """The answer to a GET. A proxy of the environment is not for servers on this machine."""
    is_local = httpx2.URL(url).host in ("127.0.0.1", "localhost", "::1")
    async with httpx2.AsyncClient(timeout=_LIMIT, trust_env=not is_local) as http:
        return await http.get(url, headers=headers)


def _reason(error: Exception) -> str:
    text = str(error).splitlines()
    return text[0] if text else type(error).__name__
