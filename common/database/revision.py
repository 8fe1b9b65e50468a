"""Which migrations this release knows, and how a database stands to them. Light: alembic is not loaded."""

import re
from enum import StrEnum
from functools import cache
from importlib.resources import files

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_REVISION = re.compile(r'^revision: str = "(\w+)"$', re.MULTILINE)
_HAS_VERSION = text("SELECT to_regclass('alembic_version') IS NOT NULL")
_VERSION = text("SELECT version_num FROM alembic_version")


class SchemaState(StrEnum):
    """How old a database is beside the code. `newer` is what a rolling deploy looks like from the old code."""

    CURRENT = "current"
    OLDER = "older"
    NEWER = "newer"
    MISSING = "missing"

    @property
    def is_usable(self) -> bool:
        """Whether this release works with it: releases add to tables before they stop using something."""
        return self in (SchemaState.CURRENT, SchemaState.NEWER)


@cache
def known_revisions() -> tuple[str, ...]:
    """The revisions of this release, oldest first: their numbers are in order."""
    folder = files("migration").joinpath("versions")
    texts = [file.read_text("utf-8") for file in folder.iterdir() if file.name.endswith(".py")]
    return tuple(sorted(match[1] for source in texts if (match := _REVISION.search(source))))


def state_of(revision: str | None) -> SchemaState:
    """How a database at `revision` stands to this release."""
    known = known_revisions()
    if revision is None:
        return SchemaState.MISSING
    if revision not in known:
        return SchemaState.NEWER
    return SchemaState.CURRENT if revision == known[-1] else SchemaState.OLDER


async def read_revision(db: AsyncConnection) -> str | None:
    """The database's own revision; None before the first migration."""
    if not (await db.execute(_HAS_VERSION)).scalar_one():
        return None
    found: str | None = (await db.execute(_VERSION)).scalar_one_or_none()
    return found
