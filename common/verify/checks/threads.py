"""Threads: checkpoints in SQLite whose thread is gone, and budgets whose reservations do not add up."""

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from common.repository.sql import UUIDS, execute, fetch, statement
from common.verify.check import MOST, Problem, Stores

_BUSY_SECONDS = 10
_THREADS = statement("SELECT id FROM threads WHERE id = ANY(:ids) AND deleted_at IS NULL", ids=UUIDS)
_RESERVED = """
    LEFT JOIN LATERAL (SELECT coalesce(sum(cost), 0) AS cost, coalesce(sum(tokens), 0) AS tokens
                       FROM budget_reservations WHERE budget_id = budgets.id
                                                  AND budget_reservations.window_start = budgets.window_start
    ) AS held ON true
"""
_WRONG_BUDGETS = statement(
    f"""
    SELECT budgets.id, format('has reserved %s and %s tokens, its calls %s and %s', reserved_cost, reserved_tokens,
                              held.cost, held.tokens)
    FROM budgets {_RESERVED} WHERE (reserved_cost, reserved_tokens) <> (held.cost, held.tokens) LIMIT :limit
    """
)
_LOCK_BUDGETS = statement("SELECT id FROM budgets WHERE id = ANY(:ids) ORDER BY id FOR UPDATE", ids=UUIDS)
_MEND_BUDGETS = statement(
    f"""
    UPDATE budgets SET reserved_cost = right_ones.cost, reserved_tokens = right_ones.tokens
    FROM (SELECT budgets.id AS budget_id, held.cost, held.tokens FROM budgets {_RESERVED}
          WHERE budgets.id = ANY(:ids)) AS right_ones
    WHERE budgets.id = right_ones.budget_id
    """,
    ids=UUIDS,
)


@dataclass(frozen=True, slots=True)
class CheckpointCheck:
    """Whoever deletes a thread wants all of it gone, also when the worker died half way."""

    name: str = "checkpoints"
    store: str = "SQLite"
    promise: str = "all checkpoints are of threads that exist"

    def is_for(self, stores: Stores) -> bool:
        """Only where flows keep their checkpoints in files of this host."""
        return bool(_files(stores))

    async def find(self, stores: Stores) -> list[Problem]:
        """Threads that only their checkpoints know."""
        found: list[Problem] = []
        for path in _files(stores):
            threads = {text: each for text in await asyncio.to_thread(_threads, path) if (each := _read_id(text))}
            async with stores.container.sessions()() as db:
                known = {row[0] for row in await fetch(db, _THREADS, {"ids": list(threads.values())})}
            strange = [text for text, each in threads.items() if each not in known]
            found += [Problem(f"{path} {text}", f"{path} holds checkpoints of {text}, no thread") for text in strange]
        return found[:MOST]

    async def mend(self, _stores: Stores, problems: Sequence[Problem]) -> None:
        """Remove them."""
        for problem in problems:
            path, _, thread = problem.key.rpartition(" ")
            await asyncio.to_thread(_forget, Path(path), thread)


@dataclass(frozen=True, slots=True)
class BudgetCheck:
    """What is reserved and belongs to no call would be lost to the tenant until the budget starts anew."""

    name: str = "budgets"
    store: str = "PostgreSQL"
    promise: str = "what budgets have reserved belongs to calls under way"

    def is_for(self, _stores: Stores) -> bool:
        """PostgreSQL is always there."""
        return True

    async def find(self, stores: Stores) -> list[Problem]:
        """Budgets whose sums are wrong."""
        async with stores.container.sessions()() as db:
            rows = await fetch(db, _WRONG_BUDGETS, {"limit": MOST})
            return [Problem(str(row[0]), f"budget {row[0]} {row[1]}") for row in rows]

    async def mend(self, stores: Stores, problems: Sequence[Problem]) -> None:
        """Add up again, while nobody reserves."""
        ids = [UUID(problem.key) for problem in problems]
        async with stores.container.sessions().begin() as db:
            await execute(db, _LOCK_BUDGETS, {"ids": ids})
            await execute(db, _MEND_BUDGETS, {"ids": ids})


def _files(stores: Stores) -> list[Path]:
    return sorted((stores.settings.data_dir / "sqlite-data").glob("*/sqlite.db"))


def _threads(path: Path) -> list[str]:
    with closing(sqlite3.connect(path, timeout=_BUSY_SECONDS)) as database:
        if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'checkpoints'").fetchone():
            return []
        return [row[0] for row in database.execute("SELECT DISTINCT thread_id FROM checkpoints")]


def _forget(path: Path, thread: str) -> None:
    with closing(sqlite3.connect(path, timeout=_BUSY_SECONDS)) as database, database:
        for table in ("writes", "checkpoints"):
            database.execute(f"DELETE FROM {table} WHERE thread_id = ?", (thread,))


def _read_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


CHECKS = [CheckpointCheck(), BudgetCheck()]
