"""The database's own guards: the triggers that refuse wrong moves, and indexes that can be used."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text

from common.repository.sql import TEXTS, fetch, statement
from common.verify.check import Problem, Stores

_TRIGGERS = ("guard_job_transition", "write_webhook_deliveries", "write_webhook_steps")
_LOOK = statement(
    """
    SELECT name, CASE WHEN tgname IS NULL THEN 'is missing; the database needs its migrations'
                      ELSE 'is disabled' END
    FROM unnest(:names) AS wanted(name)
    LEFT JOIN pg_trigger ON tgname = name AND tgrelid = 'jobs'::regclass
    WHERE tgname IS NULL OR tgenabled = 'D'
    """,
    names=TEXTS,
)
_INVALID = statement(
    """
    SELECT indexrelid::regclass::text FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
    WHERE NOT indisvalid AND relnamespace = 'public'::regnamespace
    """
)


@dataclass(frozen=True, slots=True)
class TriggerCheck:
    """A trigger that is missing or disabled lets rows be moved as no state allows."""

    name: str = "triggers"
    store: str = "PostgreSQL"
    promise: str = "the triggers that guard jobs are there and enabled"

    def is_for(self, _stores: Stores) -> bool:
        """PostgreSQL is always there."""
        return True

    async def find(self, stores: Stores) -> list[Problem]:
        """Triggers that do nothing."""
        async with stores.container.sessions()() as db:
            rows = await fetch(db, _LOOK, {"names": list(_TRIGGERS)})
            return [Problem(row[0], f"trigger {row[0]} {row[1]}") for row in rows]

    async def mend(self, stores: Stores, problems: Sequence[Problem]) -> None:
        """Enable those that are disabled."""
        async with stores.container.sessions().begin() as db:
            for problem in problems:
                if problem.detail.endswith("disabled"):
                    await db.execute(text(f"ALTER TABLE jobs ENABLE TRIGGER {problem.key}"))


@dataclass(frozen=True, slots=True)
class IndexCheck:
    """An index whose making was broken off is written but never read."""

    name: str = "indexes"
    store: str = "PostgreSQL"
    promise: str = "every index can be used"

    def is_for(self, _stores: Stores) -> bool:
        """PostgreSQL is always there."""
        return True

    async def find(self, stores: Stores) -> list[Problem]:
        """Indexes that are not valid."""
        async with stores.container.sessions()() as db:
            rows = await fetch(db, _INVALID, {})
            return [Problem(row[0], f"index {row[0]} is not valid") for row in rows]

    async def mend(self, stores: Stores, problems: Sequence[Problem]) -> None:
        """Make them anew, beside what reads and writes."""
        alone = stores.container.engine().execution_options(isolation_level="AUTOCOMMIT")
        async with alone.connect() as db:
            for problem in problems:
                await db.execute(text(f"REINDEX INDEX CONCURRENTLY {problem.key}"))


CHECKS = [TriggerCheck(), IndexCheck()]
