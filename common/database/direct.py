"""Hot statements straight through asyncpg: each is one round trip and its own transaction, without a session."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any

import asyncpg
from sqlalchemy import TextClause, make_url
from sqlalchemy.dialects.postgresql import asyncpg as sqlalchemy_asyncpg
from sqlalchemy.exc import DBAPIError, InterfaceError

from common.config import CommonSettings
from common.database.session import connect_arguments

_CLOSE = 2.0
_NEVER = 2**31
_DIALECT = sqlalchemy_asyncpg.dialect()  # type: ignore[no-untyped-call]
# Arrays of PostgreSQL's own types, whose numbers never change: array, name, element.
_ARRAYS = (
    (1000, "_bool", 16),
    (1007, "_int4", 23),
    (1016, "_int8", 20),
    (1022, "_float8", 701),
    (1185, "_timestamptz", 1184),
    (1187, "_interval", 1186),
    (2951, "_uuid", 2950),
)


class DirectPool:
    """A few connections for single statements that are written as SQLAlchemy `text()` with typed parameters.

    It connects at first use. `fetch` raises what SQLAlchemy would raise: `DBAPIError` with asyncpg's error as its
    cause, or `OSError` and `TimeoutError` when the server cannot be reached or does not answer.
    """

    def __init__(self, settings: CommonSettings, *, name: str = "letuin") -> None:
        self._size = settings.database_direct_pool_size
        self._patience = settings.database_pool_timeout.total_seconds()
        self._arguments = _connect_arguments(settings, name)
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None

    async def fetch(self, clause: TextClause, values: Mapping[str, Any]) -> Sequence[asyncpg.Record]:
        """Run one statement, committed when this returns, and its rows, which are read by position or by name."""
        sql, names = compiled_text(clause)
        try:
            async with (await self._opened()).acquire(timeout=self._patience) as connection:
                try:
                    return await self.run(connection, sql, [values[name] for name in names])
                except (asyncpg.PostgresError, ValueError):
                    raise  # the server has answered, or was never asked
                except BaseException:
                    # Cut off in the middle: it would go back to the pool still waiting for its answer.
                    connection.terminate()
                    raise
        except (asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
            raise InterfaceError(None, None, error, hide_parameters=True) from error
        except asyncpg.PostgresError as error:
            raise DBAPIError(None, None, error, hide_parameters=True) from error

    async def run(self, connection: Any, sql: str, values: Sequence[Any]) -> Sequence[asyncpg.Record]:
        """Run compiled SQL on a connection."""
        rows: Sequence[asyncpg.Record] = await connection.fetch(sql, *values)
        return rows

    async def close(self) -> None:
        """End every connection; one that is still in use after two seconds is cut."""
        pool, self._pool = self._pool, None
        if pool is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(_CLOSE):
                    await pool.close()

    async def _opened(self) -> "asyncpg.Pool[asyncpg.Record]":
        if self._pool is None:
            # No reset on release: a statement alone leaves nothing behind, and the reset would be a second round trip.
            self._pool = await asyncpg.create_pool(
                **self._arguments,
                min_size=0,
                max_size=self._size,
                max_queries=_NEVER,
                max_inactive_connection_lifetime=0,
                reset=_keep,
                init=_teach_arrays,
            )
        return self._pool


async def _keep(_connection: object) -> None:
    return


async def _teach_arrays(connection: Any) -> None:
    """asyncpg would look these types up on each connection, by a query that takes longer to plan than ten claims."""
    absent = dict.fromkeys(("range_subtype", "attrtypoids", "basetype"))
    rows = [
        {"oid": oid, "ns": "pg_catalog", "name": name, "elemtype": element, "elemdelim": ",", "kind": b"b", **absent}
        for oid, name, element in _ARRAYS
    ]
    connection._protocol.get_settings().register_data_types(rows)


def _connect_arguments(settings: CommonSettings, name: str) -> dict[str, Any]:
    """What SQLAlchemy would connect with for the same URL, without the options that only SQLAlchemy knows."""
    url = make_url(settings.async_database_url)
    _, arguments = _DIALECT.create_connect_args(url)  # type: ignore[no-untyped-call]
    if arguments.pop("prepared_statement_cache_size", None) == 0:
        arguments["statement_cache_size"] = 0
    return {**arguments, **connect_arguments(settings, name)}


@lru_cache(maxsize=256)
def compiled_text(clause: TextClause) -> tuple[str, tuple[str, ...]]:
    """The statement as asyncpg takes it, and the names of its parameters in order."""
    compiled: Any = clause.compile(dialect=_DIALECT)
    return str(compiled), tuple(compiled.positiontup or ())
