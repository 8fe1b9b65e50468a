"""`letuin migrate` and `letuin users`, on a real PostgreSQL."""

import json
from pathlib import Path

import asyncpg
import pytest

from common.passwords import verify_password
from tests.fixtures.letuin import letuin, letuin_here
from tests.fixtures.server_process import database_url
from tests.fixtures.stores import Stores

_PASSWORD = "correct horse battery"


async def test_migrate_fills_an_empty_database_and_empties_it_again(tmp_path: Path, stores: Stores) -> None:
    name = f"{stores.database_url.rpartition('/')[2]}_migrate"
    admin = await asyncpg.connect(stores.database_url)
    await admin.execute(f"DROP DATABASE IF EXISTS {name}")
    await admin.execute(f"CREATE DATABASE {name}")
    url = database_url(stores.database_url, name)
    env = {"ENVIRONMENT": "test", "DATABASE_URL": url}
    try:
        first = letuin("migrate", folder=tmp_path, env=env)
        second = letuin("migrate", folder=tmp_path, env=env)
        connection = await asyncpg.connect(url)
        revision = await connection.fetchval("SELECT version_num FROM alembic_version")
        back = letuin("migrate", "--to", "base", "--down", folder=tmp_path, env=env)
        has_jobs = await connection.fetchval("SELECT to_regclass('jobs') IS NOT NULL")
        await connection.close()
    finally:
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await admin.close()

    assert (first.returncode, second.returncode, back.returncode) == (0, 0, 0), first.stderr + back.stderr
    assert second.stderr.endswith(f"is at revision {revision}.\n")
    assert not has_jobs


def test_migrate_to_an_unknown_revision_is_refused(tmp_path: Path, stores: Stores) -> None:
    answer = letuin("migrate", "--to", "nosuch", folder=tmp_path, env=stores.environment)

    assert answer.returncode == 2
    assert "Can't locate revision identified by 'nosuch'" in answer.stderr


@pytest.mark.parametrize("command", [["migrate"], ["users", "create", "ada@example.com", "--password-stdin"]])
def test_a_database_that_is_away_is_named_without_its_password(command: list[str], tmp_path: Path) -> None:
    env = {"DATABASE_URL": "postgresql://letuin:sesame@127.0.0.1:1/letuin"}

    answer = letuin(*command, folder=tmp_path, env=env, stdin=f"{_PASSWORD}\n")

    assert answer.returncode == 3
    assert answer.stderr.startswith("Error: PostgreSQL does not answer at 127.0.0.1:1/letuin: ")
    assert "sesame" not in answer.stderr
    assert "Traceback" not in answer.stderr


async def test_a_user_is_created_once(tmp_path: Path, stores: Stores) -> None:
    arguments = ("users", "create", "Ada@Example.com", "--role", "admin", "--password-stdin", "--json")
    created = letuin(*arguments, folder=tmp_path, env=stores.environment, stdin=f"{_PASSWORD}\n")
    again = letuin(*arguments, folder=tmp_path, env=stores.environment, stdin=f"{_PASSWORD}\n")

    connection = await asyncpg.connect(stores.database_url)
    row = await connection.fetchrow("SELECT id, email, role, password_hash FROM users WHERE email = 'ada@example.com'")
    await connection.close()
    assert created.returncode == 0, created.stderr
    assert row is not None
    assert json.loads(created.stdout) == {"id": str(row["id"]), "email": "ada@example.com", "role": "admin"}
    assert row["role"] == "admin"
    assert verify_password(_PASSWORD, row["password_hash"])
    assert _PASSWORD not in created.stdout + created.stderr
    assert again.returncode == 2
    assert again.stderr == "Error: There is a user ada@example.com already.\n"


@pytest.mark.parametrize(
    ("email", "password", "message"),
    [
        ("ada", _PASSWORD, "'ada' is no e-mail address."),
        ("ada@example.com", "short", "A password must have 8 to 128 characters."),
        ("ada@example.com", "x" * 129, "A password must have 8 to 128 characters."),
    ],
)
def test_what_is_no_address_or_password_is_refused(
    email: str, password: str, message: str, tmp_path: Path, stores: Stores
) -> None:
    answer = letuin_here(
        "users", "create", email, "--password-stdin", folder=tmp_path, env=stores.environment, stdin=password
    )

    assert (answer.returncode, answer.stderr) == (2, f"Error: {message}\n")


def test_a_password_is_never_waited_for_without_a_person(tmp_path: Path, stores: Stores) -> None:
    answer = letuin_here("users", "create", "ada@example.com", folder=tmp_path, env=stores.environment)

    assert answer.returncode == 2
    assert "--password-stdin" in answer.stderr
