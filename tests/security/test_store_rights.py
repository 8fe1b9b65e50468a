"""What api and workers may do in the stores: all that they need, with the rights of `deploy/stores` (T10, T11)."""

from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import asyncpg
import httpx2
import pytest
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, ResponseError

from tests.api.conftest import ECHO, BuildSettings, Connect
from tests.fixtures.server_process import database_url
from tests.fixtures.stores import Stores
from tests.fixtures.workers import running_worker
from tests.security.matrix import HOOK, NIGHTLY

STORES = Path(__file__).parents[2] / "deploy" / "stores"
PASSWORD = "a-password-of-the-tests"
FORBIDDEN_SQL = (
    "CREATE TABLE public.mine (id int)",
    "ALTER TABLE jobs ADD COLUMN mine int",
    "ALTER TABLE jobs DISABLE TRIGGER ALL",
    "DROP TABLE jobs",
    "TRUNCATE jobs",
    "SET session_replication_role = replica",
    "UPDATE alembic_version SET version_num = 'x'",
    "CREATE EXTENSION file_fdw",
    "COPY jobs TO PROGRAM 'cat'",
    "CREATE ROLE mine SUPERUSER",
    "CREATE DATABASE mine",
)
FORBIDDEN_COMMANDS = (
    ("FLUSHALL",),
    ("FLUSHDB",),
    ("CONFIG", "GET", "*"),
    ("KEYS", "*"),
    ("SHUTDOWN",),
    ("SAVE",),
    ("REPLICAOF", "NO", "ONE"),
    ("ACL", "LIST"),
    ("CLIENT", "KILL", "TYPE", "normal"),
    ("MONITOR",),
    ("MODULE", "LIST"),
    ("EVAL", "return redis.call('SET', 'foreign', 1)", "0"),
    ("SCRIPT", "FLUSH"),
    ("SET", "foreign", "1"),
    ("GET", "foreign"),
    ("PUBLISH", "foreign", "1"),
    ("SUBSCRIBE", "foreign"),
)


@pytest.fixture
async def limited(stores: Stores) -> AsyncIterator[Stores]:
    """The stores as the users that `deploy/stores` describes."""
    owner = await asyncpg.connect(stores.database_url)
    name = f"letuin_app_{stores.redis_url.rpartition('/')[2]}"
    await owner.execute(f"DROP ROLE IF EXISTS {name}")
    await owner.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'")
    await owner.execute((STORES / "postgresql-role.sql").read_text("utf-8").replace("letuin_app", name))
    redis = Redis.from_url(stores.redis_url)
    _, _, rules = (STORES / "redis.acl").read_text("utf-8").splitlines()[1].split(" ", 2)
    hashed = sha256(PASSWORD.encode()).hexdigest()
    await redis.execute_command("ACL", "SETUSER", name, *rules.replace("PASSWORD_SHA256", hashed).split())
    yield Stores(as_user(stores.database_url, name), as_user(stores.redis_url, name))
    await redis.execute_command("ACL", "DELUSER", name)
    await redis.aclose()
    await owner.execute(f"DROP OWNED BY {name}")
    await owner.execute(f"DROP ROLE {name}")
    await owner.close()


def as_user(url: str, name: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{name}:{PASSWORD}@{rest.rpartition('@')[2]}"


async def test_t10_t11_everything_works_with_few_rights(
    limited: Stores, connect: Connect, build_settings: BuildSettings
) -> None:
    urls = {"database_url": limited.database_url, "redis_url": limited.redis_url}
    async with running_worker(build_settings(**urls)), connect(**urls) as client:
        assert (await client.get("/ready")).status_code == 200
        done = await client.post("/api/v1/jobs", json=ECHO, headers={"Prefer": "wait=20"})
        assert (done.status_code, done.json()["status"]) == (200, "succeeded"), done.text
        page = {"Accept": "application/json"}
        events = await client.get(f"/api/v1/jobs/{done.json()['id']}/events", headers=page)
        assert events.json()["events"][-1]["type"] == "job.succeeded"
        for path, body in (("schedules", NIGHTLY), ("webhooks", HOOK), ("jobs/batch", {"jobs": [ECHO]})):
            assert (await client.post(f"/api/v1/{path}", json=body)).is_success, path
        assert await _cancel(client) == "cancelled"


async def _cancel(client: httpx2.AsyncClient) -> str:
    job = (await client.post("/api/v1/jobs", json={"kind": "system.sleep", "payload": {"seconds": 60}})).json()
    await client.post(f"/api/v1/jobs/{job['id']}/cancel")
    ended = await client.get(f"/api/v1/jobs/{job['id']}", headers={"Prefer": "wait=20"})
    return str(ended.json()["status"])


async def test_t11_the_role_of_the_processes_changes_rows_alone(limited: Stores) -> None:
    role = await asyncpg.connect(limited.database_url)
    more = "SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication FROM pg_roles WHERE rolname = user"
    assert await role.fetchval(more) is False
    for statement in FORBIDDEN_SQL:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await role.execute(statement)
    await role.close()
    with pytest.raises(asyncpg.PostgresError):
        await asyncpg.connect(database_url(limited.database_url, "nowhere"))


async def test_t10_the_user_of_the_processes_keeps_to_its_keys(limited: Stores) -> None:
    async with Redis.from_url(limited.redis_url) as redis:
        for command in FORBIDDEN_COMMANDS:
            with pytest.raises(NoPermissionError):
                await redis.execute_command(*command)
        # A script that it brings along is held to the same keys.
        digest = await redis.script_load("return redis.call('SET', 'foreign', 1)")
        with pytest.raises(ResponseError, match=r"permission|ACL"):
            await redis.evalsha(digest, 0)
