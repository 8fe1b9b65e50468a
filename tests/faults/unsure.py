"""PostgreSQL that does what it was told and then says that the connection broke: the caller cannot know."""

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import asyncpg
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg

from common.database.direct import DirectPool

WRITES = {
    "insert": "INSERT INTO jobs (",
    "claim": "SET status = 'running'",
    "end": "WITH verdict AS",
    "heartbeat": "WITH renewed AS",
    "register": "INSERT INTO workers",
}


class Unsure:
    """After a share of the writes, and of all COMMITs, reports an error although they happened. `lied` counts."""

    def __init__(self, share: float, *, seed: int = 3) -> None:
        self.lied: Counter[str] = Counter()
        self._share = share
        self._random = random.Random(seed)

    def install(self, put: Callable[[Any, str, Any], None] = setattr) -> None:
        """Put itself between asyncpg and what calls it in this process, by `put(target, name, value)`."""
        execute: Any = PGDialect_asyncpg.do_execute
        commit: Any = PGDialect_asyncpg.do_commit

        def do_execute(dialect: Any, cursor: Any, statement: str, parameters: Any, context: Any = None) -> None:
            execute(dialect, cursor, statement, parameters, context)
            for name, part in WRITES.items():
                if part in statement:
                    self._lie(dialect, name)

        def do_commit(dialect: Any, connection: Any) -> None:
            commit(dialect, connection)
            self._lie(dialect, "commit")

        run: Any = DirectPool.run

        async def do_run(pool: Any, connection: Any, sql: str, values: Any) -> Any:
            rows = await run(pool, connection, sql, values)
            for name, part in WRITES.items():
                if part in sql and self._lies(name):
                    raise asyncpg.ConnectionDoesNotExistError("the answer was lost")
            return rows

        put(DirectPool, "run", do_run)
        put(PGDialect_asyncpg, "do_execute", do_execute)
        put(PGDialect_asyncpg, "do_commit", do_commit)

    def _lie(self, dialect: Any, name: str) -> None:
        if self._lies(name):
            cause = ConnectionResetError("the answer was lost")
            raise dialect.loaded_dbapi.OperationalError("the answer was lost", cause)

    def _lies(self, name: str) -> bool:
        lies = self._random.random() < self._share
        self.lied[name] += lies
        return lies
