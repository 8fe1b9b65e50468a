"""PostgreSQL that does what it was told and then says that the connection broke: the caller cannot know."""

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg

WRITES = {
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
        """Put itself between SQLAlchemy and asyncpg in this process, by `put(target, name, value)`."""
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

        put(PGDialect_asyncpg, "do_execute", do_execute)
        put(PGDialect_asyncpg, "do_commit", do_commit)

    def _lie(self, dialect: Any, name: str) -> None:
        if self._random.random() < self._share:
            self.lied[name] += 1
            cause = ConnectionResetError("the answer was lost")
            raise dialect.loaded_dbapi.OperationalError("the answer was lost", cause)
