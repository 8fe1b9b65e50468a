"""Checkpoints in PostgreSQL, for workers on several hosts (extra `scale-out`). Tables live in a schema of their own."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import Any, LiteralString

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from psycopg import AsyncConnection, AsyncCursor
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool

from worker.agent.checkpoint.store import OutdatedError, fence_of, strict_serializer

_SCHEMA = "checkpoints"
_NEVER = 2**62
_POOL_SIZE = 4
_SETUP_LOCK = 7_305_611
_FENCES = "CREATE TABLE IF NOT EXISTS fences (thread_id text PRIMARY KEY, fence bigint NOT NULL)"
_CLAIM = """
    INSERT INTO fences (thread_id, fence) VALUES (%s, %s)
    ON CONFLICT (thread_id) DO UPDATE SET fence = EXCLUDED.fence WHERE EXCLUDED.fence >= fences.fence
"""
# Whoever would raise the fence waits for this transaction, and this one for whoever has.
_HOLD = "SELECT FROM fences WHERE thread_id = %s AND fence = %s FOR SHARE"
_DROP: tuple[LiteralString, ...] = (
    """DELETE FROM checkpoint_writes AS w USING checkpoints AS c
       WHERE c.thread_id = %s AND c.metadata->>'run_id' = ANY(%s) AND w.thread_id = c.thread_id
         AND w.checkpoint_ns = c.checkpoint_ns AND w.checkpoint_id = c.checkpoint_id""",
    "DELETE FROM checkpoints WHERE thread_id = %s AND metadata->>'run_id' = ANY(%s)",
)
_CHAIN: LiteralString = """
    WITH RECURSIVE chain (id) AS (
        SELECT checkpoint_id FROM checkpoints
        WHERE thread_id = %(source)s AND checkpoint_ns = '' AND checkpoint_id = %(id)s
        UNION
        SELECT parent_checkpoint_id FROM checkpoints JOIN chain ON checkpoint_id = chain.id
        WHERE thread_id = %(source)s AND checkpoint_ns = '' AND parent_checkpoint_id IS NOT NULL)
"""
_COPY: tuple[LiteralString, ...] = (
    f"""{_CHAIN} INSERT INTO checkpoints
    (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint, metadata)
    SELECT %(target)s, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint, metadata FROM checkpoints
    WHERE thread_id = %(source)s AND checkpoint_ns = '' AND checkpoint_id IN (SELECT id FROM chain)
    ON CONFLICT DO NOTHING""",
    f"""{_CHAIN} INSERT INTO checkpoint_writes
    (thread_id, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, blob)
    SELECT %(target)s, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, blob
    FROM checkpoint_writes
    WHERE thread_id = %(source)s AND checkpoint_ns = '' AND checkpoint_id IN (SELECT id FROM chain)
    ON CONFLICT DO NOTHING""",
    """INSERT INTO checkpoint_blobs (thread_id, checkpoint_ns, channel, version, type, blob)
    SELECT %(target)s, checkpoint_ns, channel, version, type, blob FROM checkpoint_blobs
    WHERE thread_id = %(source)s AND checkpoint_ns = '' ON CONFLICT DO NOTHING""",
)
_WRITER: ContextVar[tuple[str, int] | None] = ContextVar("checkpoint_writer", default=None)

type Pool = AsyncConnectionPool[AsyncConnection[DictRow]]


class PostgresStore(AsyncPostgresSaver):
    """The saver itself; its writing transactions begin with the fence. Implements `CheckpointStore`."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(pool, serde=strict_serializer())
        self._pool = pool
        # Writes become plain transactions, in which the fence can be read first.
        self.supports_pipeline = False

    @classmethod
    async def open(cls, url: str, namespace: str) -> "PostgresStore":
        """Connect and make the tables. `namespace` keeps flows apart."""
        schema = f"{_SCHEMA}_{namespace}"
        options = {"autocommit": True, "prepare_threshold": 0, "options": f"-c search_path={schema}"}
        pool: Pool = AsyncConnectionPool(
            url, min_size=1, max_size=_POOL_SIZE, open=False, kwargs={**options, "row_factory": dict_row}
        )
        await pool.open(wait=True, timeout=10)
        store = cls(pool)
        async with pool.connection() as connection, connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_SETUP_LOCK,))
            await connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{schema}"'.encode())
            await connection.execute(_FENCES)
        await store.setup()
        return store

    @property
    def saver(self) -> "PostgresStore":
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
        with _writing(config):
            return await super().aput(config, checkpoint, metadata, new_versions)

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Save what a step wrote. Raises `OutdatedError`."""
        with _writing(config):
            await super().aput_writes(config, writes, task_id, task_path)

    async def claim(self, thread: str, fence: int) -> None:
        """See `CheckpointStore.claim`."""
        async with self._pool.connection() as connection:
            if (await connection.execute(_CLAIM, (thread, fence))).rowcount == 0:
                raise OutdatedError(thread)

    async def drop_runs(self, thread: str, runs: Sequence[str]) -> None:
        """See `CheckpointStore.drop_runs`."""
        async with self._pool.connection() as connection, connection.transaction():
            for statement in _DROP:
                await connection.execute(statement, (thread, list(runs)))

    async def copy(self, source: str, checkpoint_id: str, target: str) -> bool:
        """See `CheckpointStore.copy`."""
        values = {"source": source, "id": checkpoint_id, "target": target}
        async with self._pool.connection() as connection, connection.transaction():
            counts = [(await connection.execute(statement, values)).rowcount for statement in _COPY]
            known = "SELECT FROM checkpoints WHERE thread_id = %(target)s AND checkpoint_id = %(id)s"
            return counts[0] > 0 or (await connection.execute(known, values)).rowcount > 0

    async def forget(self, thread: str, *, is_final: bool) -> None:
        """See `CheckpointStore.forget`."""
        if is_final:
            await self.claim(thread, _NEVER)
        else:
            async with self._pool.connection() as connection:
                await connection.execute("DELETE FROM fences WHERE thread_id = %s", (thread,))
        await super().adelete_thread(thread)

    async def list_threads(self) -> list[str]:
        """See `CheckpointStore.list_threads`."""
        async with self._pool.connection() as connection:
            found = await connection.execute("SELECT thread_id FROM fences WHERE fence < %s", (_NEVER,))
            return [row["thread_id"] for row in await found.fetchall()]

    async def adelete_thread(self, thread_id: str) -> None:
        """See `forget`."""
        await self.forget(thread_id, is_final=True)

    async def aclose(self) -> None:
        """See `CheckpointStore.aclose`."""
        await self._pool.close()

    @asynccontextmanager
    async def _cursor(self, *, pipeline: bool = False) -> AsyncIterator[AsyncCursor[DictRow]]:
        async with super()._cursor(pipeline=pipeline) as cursor:
            if (writer := _WRITER.get()) is not None:
                await cursor.execute(_HOLD, writer)
                if cursor.rowcount == 0:
                    raise OutdatedError(writer[0])
            yield cursor


@contextmanager
def _writing(config: RunnableConfig) -> Iterator[None]:
    """Name the writer of the block's transaction."""
    token = _WRITER.set(fence_of(config))
    try:
        yield
    finally:
        _WRITER.reset(token)
