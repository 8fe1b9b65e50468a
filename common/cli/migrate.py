"""`letuin migrate`: the database's tables, by alembic."""

import logging
import os
from typing import Annotated

import typer
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError as AlembicError
from asyncpg import PostgresError
from sqlalchemy.exc import SQLAlchemyError

from common.cli.exits import CommandError, UnreachableError
from common.cli.options import JsonOption
from common.cli.output import error_console, print_json
from common.cli.surroundings import load_settings, read_surroundings
from common.cli.urls import place_of

app = typer.Typer(add_completion=False)


def migration_config() -> Config:
    """Alembic's configuration, also where no pyproject.toml is near."""
    config = Config()
    config.set_main_option("script_location", "migration:")
    return config


def newest_revision() -> str:
    """The revision that this version of the code needs."""
    return ScriptDirectory.from_config(migration_config()).get_current_head() or "base"


@app.command()
def migrate(
    to: Annotated[str, typer.Option("--to", metavar="REVISION", help="Stop at this revision.")] = "head",
    down: Annotated[bool, typer.Option("--down", help="Go back to --to; this deletes what newer tables hold.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Bring the database to the newest (or a given) revision.

    Uses DATABASE_URL, from the environment, `.env` or the running `letuin up`. Safe to run twice, or from two places.
    """
    if down and to == "head":
        raise CommandError("--down needs --to REVISION (or --to base for an empty database).")
    environ = read_surroundings()
    place = place_of(load_settings(environ).database_url.get_secret_value())
    # Alembic's environment builds its own settings from the process's variables.
    os.environ.update(environ)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger("alembic.runtime.migration").setLevel(logging.INFO)
    try:
        (command.downgrade if down else command.upgrade)(migration_config(), to)
    except AlembicError as error:
        raise CommandError(f"The database cannot be migrated: {error}.") from error
    except (OSError, TimeoutError) as error:
        raise UnreachableError(f"PostgreSQL does not answer at {place}: check DATABASE_URL.") from error
    except (SQLAlchemyError, PostgresError) as error:
        raise UnreachableError(f"PostgreSQL at {place} refused: {str(error).splitlines()[0]}") from error
    revision = newest_revision() if to == "head" else to
    if as_json:
        print_json({"database": place, "revision": revision})
    else:
        error_console().print(f"The database at {place} is at revision {revision}.")
