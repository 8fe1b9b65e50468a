"""Secrets and prompts given to a running production api, and where they must not come to lie (L01, L02)."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import httpx2
import pytest
from redis.asyncio import Redis

from api.export_openapi import describe
from tests.api.conftest import MakeUser
from tests.api.test_process import serving
from tests.fixtures.mongo import connected
from tests.fixtures.stores import Stores

PASSWORD = "canary-Password-5f1c horse"
PROMPT = "canary-Prompt-77ab of somebody"
COOKIE = "canary-Cookie-90fe"
STATIC = "canary-Access-Token-41d2"
SIGNING = "canary-Signing-Secret-8c0e-of-32-bytes"
MAIL = "canary-Mail-Password-c3d9"
GUESSED = "canary-Guessed-Token-e17b"
SETTINGS = {
    "ENVIRONMENT": "production",
    "JWT_SECRET": SIGNING,
    "ACCESS_TOKEN": STATIC,
    "SMTP_URL": f"smtp://letuin:{MAIL}@127.0.0.1:1",
    "LOG_LEVEL": "DEBUG",
    "LOG_FORMAT": "console",
    "REQUEST_LOG_FLUSH_INTERVAL": "0.05",
}
ENDLESS = {"/api/v1/events", "/api/v1/jobs/{job_id}/events", "/api/v1/threads/{thread_id}/events"}


def calls() -> Iterator[tuple[str, str]]:
    """Every operation once; in the places of ids stands something that does not exist."""
    for path, operations in json.loads(describe())["paths"].items():
        for method in operations:
            if path not in ENDLESS and "logout" not in path:
                filled = path.replace("{", "canary-").replace("}", "")
                yield method.upper(), filled


async def ask_everything(client: httpx2.AsyncClient, headers: dict[str, str], secrets: dict[str, str]) -> list[str]:
    """Send the secrets along with every operation, where they belong and where they do not; the refusals' bodies."""
    body = secrets | {"kind": "llm.chat", "prompt": PROMPT}
    refusals = []
    for method, path in calls():
        answer = await client.request(
            method,
            path,
            params={"token": secrets["token"], "access_token": secrets["token"]},
            json=body,
            headers={**headers, "Cookie": f"session={COOKIE}", "X-Request-ID": "canary-run"},
        )
        if answer.status_code >= 400:
            refusals.append(answer.text)
    return refusals


async def rows(stores: Stores) -> str:
    """All that PostgreSQL keeps, but for the payloads of jobs, which are the work itself."""
    connection = await asyncpg.connect(stores.database_url)
    tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    found = []
    for table in tables:
        shown = "to_jsonb(t) - 'payload'"
        found += await connection.fetch(f'SELECT ({shown})::text AS row FROM "{table["tablename"]}" AS t')
    await connection.close()
    return "\n".join(each["row"] for each in found)


async def memory(stores: Stores) -> str:
    """All that Redis keeps, as it lies there."""
    redis = Redis.from_url(stores.redis_url)
    dumped = [key + b" " + (await redis.dump(key) or b"") async for key in redis.scan_iter()]
    await redis.aclose()
    return b"\n".join(dumped).decode("latin-1")


async def documents(url: str) -> str:
    async with connected(url) as database:
        names = await database.list_collection_names()
        found: list[Any] = [each for name in names for each in await database[name].find({}).to_list(None)]
    assert len(found) > 10
    return repr(found)


@pytest.mark.e2e
async def test_secrets_come_to_lie_nowhere(
    stores: Stores, tmp_path: Path, make_user: MakeUser, mongodb_url: str
) -> None:
    """L01: log files, console, MongoDB, PostgreSQL, Redis, refusals. L02: prompts in no log."""
    user = await make_user("canary@example.com", PASSWORD)
    log = tmp_path / "logs" / "app.log"
    own = {"MONGODB_URL": mongodb_url, "LOG_FILE_PATH": str(log)}
    own["DATABASE_URL"] = stores.database_url
    database_password = urlsplit(stores.database_url).password
    assert database_password
    async with serving(stores, tmp_path / "data", {**SETTINGS, **own}) as (process, url):
        assert process.stderr is not None
        said = asyncio.create_task(process.stderr.read())
        async with httpx2.AsyncClient(base_url=url, timeout=60) as client:
            login = {"email": user.email, "password": PASSWORD}
            entered = await client.post("/api/v1/auth/login", json=login)
            assert entered.status_code == 200, entered.text
            signed_in = entered.json()
            bearer = {"Authorization": f"Bearer {signed_in['access_token']}"}
            made = await client.post(
                "/api/v1/api-keys", json={"name": "canary", "scopes": ["jobs:read"]}, headers=bearer
            )
            assert made.status_code == 201, made.text
            secrets = {
                "password": PASSWORD,
                "token": signed_in["access_token"],
                "refresh_token": signed_in["refresh_token"],
                "api_key": made.json()["key"],
            }
            chat = {"kind": "llm.chat", "payload": {"messages": [{"role": "user", "content": PROMPT}]}}
            assert (await client.post("/api/v1/jobs", json=chat, headers=bearer)).status_code == 202
            refusals = []
            for token in (secrets["token"], GUESSED):
                refusals += await ask_everything(client, {"Authorization": f"Bearer {token}"}, secrets)
            wrong = await client.post("/api/v1/auth/login", json={**login, "password": PASSWORD + "x"})
            assert wrong.status_code == 401
        process.terminate()
        console = (await said).decode()

    places = {
        "console": console,
        "log file": "".join(path.read_text("utf-8") for path in log.parent.glob("*.log")),
        "refusals": "\n".join([*refusals, wrong.text]),
        "PostgreSQL": await rows(stores),
        "Redis": await memory(stores),
        "MongoDB": await documents(mongodb_url),
    }
    needles = {
        **secrets,
        "cookie": COOKIE,
        "static": STATIC,
        "signing": SIGNING,
        "database": database_password,
        "mail": MAIL,
    }
    for place, text in places.items():
        assert text, place
        hits = [name for name, value in {**needles, "guessed": GUESSED}.items() if value in text]
        assert hits == [], place
    for place in ("console", "log file", "MongoDB"):
        assert PROMPT not in places[place], place
    assert "canary-run" in places["console"]
