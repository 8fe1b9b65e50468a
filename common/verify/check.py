"""What a check is, what it gets, and where all of them come from."""

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from sqlalchemy import TextClause

from common.config import CommonSettings
from common.container import CommonContainer
from common.repository.sql import UUIDS, execute, fetch, statement
from common.verify import checks

MOST = 1000
"""So many problems a check looks for in one run."""


@dataclass(frozen=True, slots=True)
class Stores:
    """What checks look at. `environ` holds the variables that no common setting knows, like CHROMA_URL."""

    settings: CommonSettings
    container: CommonContainer
    environ: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that should not be. `key` names it for the store; two looks at the same thing give the same key."""

    key: str
    detail: str


class Check(Protocol):
    """Looks for one sort of problem. Anything it raises means that its store cannot be used."""

    @property
    def name(self) -> str:
        """Short and permanent: what it is about."""

    @property
    def store(self) -> str:
        """Which store it looks into."""

    @property
    def promise(self) -> str:
        """The sentence that is true when nothing is found."""

    def is_for(self, stores: Stores) -> bool:
        """Whether there is such a store here."""

    async def find(self, stores: Stores) -> list[Problem]:
        """At most `MOST` problems. It may see what is half done: only what a second look finds too counts."""

    async def mend(self, stores: Stores, problems: Sequence[Problem]) -> None:
        """Mend these where that can be done; safe while everything runs. What is still there afterwards is told."""


@dataclass(frozen=True, slots=True)
class RowCheck:
    """A check of job rows: `look` gives id and detail of what is wrong, `cure` mends the rows in `:ids`."""

    name: str
    promise: str
    look: TextClause
    cure: TextClause | None = None
    store: str = "PostgreSQL"

    def is_for(self, _stores: Stores) -> bool:
        """PostgreSQL is always there."""
        return True

    async def find(self, stores: Stores) -> list[Problem]:
        """The rows that `look` gives."""
        async with stores.container.sessions()() as db:
            rows = await fetch(db, self.look, {"limit": MOST})
            return [Problem(str(row[0]), f"job {row[0]} {row[1]}") for row in rows]

    async def mend(self, stores: Stores, problems: Sequence[Problem]) -> None:
        """Lock the rows, so that nobody moves them meanwhile, then mend them."""
        if self.cure is None:
            return
        ids = [UUID(problem.key) for problem in problems]
        async with stores.container.sessions().begin() as db:
            await execute(db, _LOCK, {"ids": ids})
            await execute(db, self.cure, {"ids": ids})


_LOCK = statement("SELECT id FROM jobs WHERE id = ANY(:ids) ORDER BY id FOR NO KEY UPDATE", ids=UUIDS)


def find_checks() -> list[Check]:
    """Every check of this installation, in the order of their files."""
    names = sorted(module.name for module in pkgutil.iter_modules(checks.__path__))
    modules = [importlib.import_module(f"{checks.__name__}.{name}") for name in names]
    return [check for module in modules for check in module.CHECKS]
