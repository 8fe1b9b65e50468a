"""The migrations on a real PostgreSQL: up, down, no drift, and two processes that migrate at once."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator

import asyncpg
import pytest
from alembic import command
from alembic.script import ScriptDirectory

from common.cli.migrate import migration_config
from common.ids import new_id
from tests.fixtures.server_process import SERVERS, database_url

FIRST_TABLES = {"alembic_version", "attempts", "jobs", "tenants", "users", "workers"}


@pytest.fixture
async def empty_database() -> AsyncIterator[str]:
    """The URL of a database that this test alone uses and that holds nothing."""
    admin_url = database_url(json.loads(os.environ[SERVERS])["database"], "postgres")
    name = f"letuin_migration_{new_id().hex}"
    admin = await asyncpg.connect(admin_url)
    await admin.execute(f"CREATE DATABASE {name}")
    yield database_url(admin_url, name)
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


async def alembic(url: str, *arguments: str) -> str:
    """Run alembic as ops do and return what it printed; a failure fails the test with it."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "alembic", *arguments),
        env={**os.environ, "ENVIRONMENT": "test", "DATABASE_URL": url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    return output.decode()


async def tables(url: str) -> set[str]:
    connection = await asyncpg.connect(url)
    rows = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    await connection.close()
    return {row["tablename"] for row in rows}


async def functions(url: str) -> set[str]:
    connection = await asyncpg.connect(url)
    rows = await connection.fetch("SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace")
    await connection.close()
    return {row["proname"] for row in rows}


async def test_up_makes_what_the_models_say_and_nothing_drifts(empty_database: str) -> None:
    await alembic(empty_database, "upgrade", "head")
    assert await tables(empty_database) >= FIRST_TABLES
    assert "No new upgrade operations detected" in await alembic(empty_database, "check")


async def test_down_leaves_nothing_behind_and_up_works_again(empty_database: str) -> None:
    await alembic(empty_database, "upgrade", "head")
    await alembic(empty_database, "downgrade", "base")
    assert await tables(empty_database) == {"alembic_version"}
    assert await functions(empty_database) == set()
    await alembic(empty_database, "upgrade", "head")
    assert await tables(empty_database) >= FIRST_TABLES


async def test_two_processes_may_migrate_at_once(empty_database: str) -> None:
    await asyncio.gather(*(alembic(empty_database, "upgrade", "head") for _ in range(2)))
    assert await tables(empty_database) >= FIRST_TABLES
    assert "(head)" in await alembic(empty_database, "current")


async def test_every_step_has_a_way_back_to_where_it_came_from(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_database)
    config = migration_config()
    for _ in ScriptDirectory.from_config(config).walk_revisions():
        await asyncio.to_thread(command.upgrade, config, "+1")
        before = await tables(empty_database)
        await asyncio.to_thread(command.downgrade, config, "-1")
        await asyncio.to_thread(command.upgrade, config, "+1")
        assert await tables(empty_database) == before
