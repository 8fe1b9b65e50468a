"""What every repository needs: something that executes statements, and typed array parameters."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import CursorResult, TextClause, Uuid, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, INTERVAL, TIMESTAMP
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.types import Integer, Text, TypeEngine

from common.database.direct import DirectPool

type Executor = AsyncSession | AsyncConnection
type AnyExecutor = Executor | DirectPool

UUIDS = ARRAY(Uuid())
TEXTS = ARRAY(Text)
INTS = ARRAY(Integer)
TIMES = ARRAY(TIMESTAMP(timezone=True))
INTERVALS = ARRAY(INTERVAL)


def statement(sql: str, **types: TypeEngine[Any]) -> TextClause:
    """A prepared piece of SQL whose named parameters have the given types."""
    return text(sql).bindparams(*(bindparam(name, type_=type_) for name, type_ in types.items()))


def sqlstate(error: DBAPIError) -> str | None:
    """PostgreSQL's five-letter code of what went wrong, when it said so."""
    state: str | None = getattr(error.orig, "sqlstate", None)
    return state


async def execute(db: Executor, clause: TextClause, values: Mapping[str, Any]) -> CursorResult[Any]:
    """Run one statement inside the caller's transaction."""
    result: CursorResult[Any] = await db.execute(clause, dict(values))  # type: ignore[assignment]  # text() always gives a cursor
    return result


async def fetch(db: AnyExecutor, clause: TextClause, values: Mapping[str, Any]) -> Sequence[Any]:
    """Rows to read by position: inside the caller's transaction, or of a statement that commits by itself."""
    if isinstance(db, DirectPool):
        return await db.fetch(clause, values)
    return (await execute(db, clause, values)).all()
