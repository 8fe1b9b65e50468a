"""The rows of the embedded PostgreSQL as one file, by its own tools; good for later major versions, too."""

import os
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from urllib.parse import urlsplit

from common.embedded.postgres import postgres_binaries
from common.embedded.process import ProcessSpec, run
from common.embedded.stack import EmbeddedStack


def postgres_alone(folder: Path) -> AbstractAsyncContextManager[EmbeddedStack]:
    """The folder's PostgreSQL, running until the block ends; made when it is not there. `url_of` says where it is."""
    return EmbeddedStack(folder, {}, only={"postgres"})


def url_of(stack: EmbeddedStack) -> str:
    """Where its PostgreSQL is."""
    return stack.environment()["DATABASE_URL"]


async def dump_rows(url: str, file: Path) -> None:
    """Write everything that the database at `url` holds, as of one moment, also while others write.

    Raises EmbeddedServerError with what the tool said.
    """
    await _run(url, "pg_dump", "--format=custom", "--no-owner", f"--file={file}")


async def restore_rows(url: str, file: Path) -> None:
    """Fill the empty database at `url` from a dump. Raises EmbeddedServerError with what the tool said."""
    options = ("--no-owner", "--exit-on-error", "--single-transaction")
    await _run(url, "pg_restore", *options, f"--dbname={_name(url)}", str(file))


async def _run(database_url: str, tool: str, *arguments: str) -> None:
    # By variables: the password on a command line could be read by everybody on the machine.
    url = urlsplit(database_url)
    place = {"PGHOST": url.hostname or "", "PGPORT": str(url.port), "PGDATABASE": _name(database_url)}
    secret = {"PGUSER": url.username or "", "PGPASSWORD": url.password or ""}
    argv = [str(postgres_binaries() / tool), *arguments]
    await run(ProcessSpec(name=tool, argv=argv, env={**os.environ, **place, **secret}))


def _name(url: str) -> str:
    return urlsplit(url).path.strip("/")
