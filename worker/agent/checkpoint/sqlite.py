"""Checkpoints in one SQLite file: WAL, one connection a process, the fence checked in the transaction of each write."""

import asyncio
import json
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import aiosqlite
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from worker.agent.checkpoint.store import BusyError, OutdatedError, fence_of, strict_serializer

_BUSY_SECONDS = 30
_BUSY_CODES = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_BUSY_SNAPSHOT)
_NEVER = 2**62
_FENCES = "CREATE TABLE IF NOT EXISTS fences (thread_id TEXT PRIMARY KEY, fence INTEGER NOT NULL)"
_CLAIM = """
    INSERT INTO fences (thread_id, fence) VALUES (?, ?)
    ON CONFLICT (thread_id) DO UPDATE SET fence = excluded.fence WHERE excluded.fence >= fence
"""
# An UPDATE that changes nothing: it begins the transaction and takes the lock of the file's one writer.
_HOLD = "UPDATE fences SET fence = fence WHERE thread_id = ? AND fence = ?"
_RUNS = "SELECT value FROM json_each(?)"
_WRITES_OF_RUNS = f"""
    DELETE FROM writes WHERE thread_id = ? AND (thread_id, checkpoint_ns, checkpoint_id) IN (
        SELECT thread_id, checkpoint_ns, checkpoint_id FROM checkpoints
        WHERE json_extract(CAST(metadata AS TEXT), '$.run_id') IN ({_RUNS}))
"""
_CHECKPOINTS_OF_RUNS = f"""
    DELETE FROM checkpoints WHERE thread_id = ? AND json_extract(CAST(metadata AS TEXT), '$.run_id') IN ({_RUNS})
"""
_CHAIN = """
    WITH RECURSIVE chain (id) AS (
        SELECT checkpoint_id FROM checkpoints
        WHERE thread_id = :source AND checkpoint_ns = '' AND checkpoint_id = :id
        UNION
        SELECT parent_checkpoint_id FROM checkpoints JOIN chain ON checkpoint_id = chain.id
        WHERE thread_id = :source AND checkpoint_ns = '' AND parent_checkpoint_id IS NOT NULL)
"""
_COPY = (
    f"""INSERT OR REPLACE INTO checkpoints
    (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint, metadata) {_CHAIN}
    SELECT :target, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint, metadata FROM checkpoints
    WHERE thread_id = :source AND checkpoint_ns = '' AND checkpoint_id IN (SELECT id FROM chain)""",
    f"""INSERT OR REPLACE INTO writes
    (thread_id, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, value) {_CHAIN}
    SELECT :target, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, value FROM writes
    WHERE thread_id = :source AND checkpoint_ns = '' AND checkpoint_id IN (SELECT id FROM chain)""",
)


class SqliteStore(AsyncSqliteSaver):
    """The saver itself, behind a gate. Implements `CheckpointStore`. `open` makes it."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        super().__init__(connection, serde=strict_serializer())
        self._gate = asyncio.Lock()

    @classmethod
    async def open(cls, path: Path) -> "SqliteStore":
        """Open or make the file. Each statement waits up to 30 s for writers of other processes."""
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = await aiosqlite.connect(path, timeout=_BUSY_SECONDS)
        store = cls(connection)
        await connection.execute("PRAGMA synchronous = NORMAL")
        await store.setup()
        await connection.execute(_FENCES)
        await connection.commit()
        return store

    @property
    def saver(self) -> "SqliteStore":
        """See `CheckpointStore.saver`."""
        return self

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Save a checkpoint. Raises `OutdatedError`."""
        write = super().aput
        return await self._fenced(config, lambda: write(config, checkpoint, metadata, new_versions))

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Save what a step wrote. Raises `OutdatedError`."""
        write = super().aput_writes
        await self._fenced(config, lambda: write(config, writes, task_id, task_path))

    async def adelete_thread(self, thread_id: str) -> None:
        """See `forget`."""
        await self.forget(thread_id, is_final=True)

    async def claim(self, thread: str, fence: int) -> None:
        """See `CheckpointStore.claim`."""

        async def write() -> None:
            if await self._run(_CLAIM, thread, fence) == 0:
                raise OutdatedError(thread)
            await self.conn.commit()

        await self._apart(write)

    async def drop_runs(self, thread: str, runs: Sequence[str]) -> None:
        """See `CheckpointStore.drop_runs`."""

        async def write() -> None:
            for statement in (_WRITES_OF_RUNS, _CHECKPOINTS_OF_RUNS):
                await self._run(statement, thread, json.dumps(list(runs)))
            await self.conn.commit()

        await self._apart(write)

    async def copy(self, source: str, checkpoint_id: str, target: str) -> bool:
        """See `CheckpointStore.copy`."""

        values = {"source": source, "id": checkpoint_id, "target": target}

        async def write() -> bool:
            counts = [(await self.conn.execute(statement, values)).rowcount for statement in _COPY]
            await self.conn.commit()
            return counts[0] > 0

        return await self._apart(write)

    async def forget(self, thread: str, *, is_final: bool) -> None:
        """See `CheckpointStore.forget`."""

        async def write() -> None:
            if is_final:
                await self._run(_CLAIM, thread, _NEVER)
            else:
                await self._run("DELETE FROM fences WHERE thread_id = ?", thread)
            await self._run("DELETE FROM checkpoints WHERE thread_id = ?", thread)
            await self._run("DELETE FROM writes WHERE thread_id = ?", thread)
            await self.conn.commit()

        await self._apart(write)

    async def list_threads(self) -> list[str]:
        """See `CheckpointStore.list_threads`."""

        async def read() -> list[str]:
            async with self.conn.execute("SELECT thread_id FROM fences WHERE fence < ?", (_NEVER,)) as cursor:
                return [row[0] for row in await cursor.fetchall()]

        return await self._apart(read)

    async def aclose(self) -> None:
        """See `CheckpointStore.aclose`."""
        async with self._gate:
            await self.conn.close()

    async def _fenced[R](self, config: RunnableConfig, write: Callable[[], Awaitable[R]]) -> R:
        """Check the fence and `write`, which commits, in one transaction."""
        thread, fence = fence_of(config)

        async def hold_and_write() -> R:
            if await self._run(_HOLD, thread, fence) == 0:
                raise OutdatedError(thread)
            return await write()

        return await self._apart(hold_and_write)

    async def _apart[R](self, work: Callable[[], Awaitable[R]]) -> R:
        """One transaction at a time on the one connection; whoever is cancelled leaves none open."""

        async def whole() -> R:
            async with self._gate:
                try:
                    return await work()
                except sqlite3.OperationalError as error:
                    await self.conn.rollback()
                    if error.sqlite_errorcode in _BUSY_CODES:
                        raise BusyError from error
                    raise
                except BaseException:
                    await self.conn.rollback()
                    raise

        task = asyncio.create_task(whole(), name="checkpoint")
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(task)

    async def _run(self, statement: str, *values: Any) -> int:
        async with self.conn.execute(statement, values) as cursor:
            return cursor.rowcount
