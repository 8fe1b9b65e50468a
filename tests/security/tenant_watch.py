"""Notes statements that touch what tenants own without saying whose."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.engine import Engine

from common.database.model import Base

_OWNED = frozenset(table.name for table in Base.metadata.sorted_tables if "tenant_id" in table.c)
_TABLE = re.compile(r"\b(?:FROM|JOIN|UPDATE|INTO|USING)\s+(\w+)")
_NAMES_TENANT = re.compile(r"\btenant_id\s*=|^\s*(?:WITH\b.*)?INSERT INTO \w+[^(]*\([^)]*\btenant_id\b", re.DOTALL)
_WATCHED = "tenant was named"

# Parts of statements that are right without a tenant, and why.
ALLOWED = {
    "FROM users WHERE users.id = $": "who a token stands for, before any tenant is known",
    "FROM users JOIN login_sessions": "the same, with the session",
    "FROM users WHERE users.email = $": "who signs in",
    "GROUP BY 1, 2, 3": "how many jobs wait, of all owners, for the limit of a queue",
    "DELETE FROM audit_events": "retention",
    "LEFT JOIN (SELECT lease_owner": "workers of the installation, for its operators",
    "coalesce(jobs.queue, queues.name)": "queues of the installation, for its operators",
    "AS newest GROUP BY newest.queue": "how quickly queues of the installation move",
    "(1 != 1)": "an empty list of ids",
}


@dataclass
class TenantWatch:
    """Once a transaction has named the tenant, it may go on with the ids that it found."""

    found: list[str] = field(default_factory=list)

    def look(self, connection: Connection, statement: str) -> None:
        """Take one statement that is about to run."""
        if _NAMES_TENANT.search(statement):
            connection.info[_WATCHED] = True
        elif _OWNED & set(_TABLE.findall(statement)) and not connection.info.get(_WATCHED):
            text = " ".join(statement.split())
            if not any(part in text for part in ALLOWED) and text not in self.found:
                self.found.append(text)


@contextmanager
def watching_tenants() -> Iterator[TenantWatch]:
    """Watch every engine of this process."""
    watch = TenantWatch()

    def before(connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        watch.look(connection, statement)

    def over(connection: Connection) -> None:
        connection.info.pop(_WATCHED, None)

    listeners: dict[str, Callable[..., None]] = {
        "before_cursor_execute": before,
        "begin": over,
        "commit": over,
        "rollback": over,
    }
    for name, listener in listeners.items():
        event.listen(Engine, name, listener)
    try:
        yield watch
    finally:
        for name, listener in listeners.items():
            event.remove(Engine, name, listener)
