"""One PostgreSQL and one Valkey for all engines of a run, the same settings for each."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
from redis.asyncio import Redis

from common.embedded.stack import EmbeddedStack
from common.redis import RedisKeys
from tests.benchmark.work import MARKS

_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Servers:
    """Where the servers are, and the folder for what belongs to one run."""

    database_url: str
    redis_url: str
    folder: Path

    @property
    def marks(self) -> Path:
        """Where workers leave the time of their first job."""
        return self.folder / "marks"

    def environment(self) -> dict[str, str]:
        """The whole environment of a worker process. Logs are as in production: JSON lines, level INFO."""
        return {
            **os.environ,
            "ENVIRONMENT": "staging",
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.redis_url,
            "PYTHONPATH": str(_ROOT),
            "PYTHONUNBUFFERED": "1",
            MARKS: str(self.marks),
        }

    async def clean(self) -> None:
        """Forget every job and mark, as if the servers were new."""
        self.marks.mkdir(exist_ok=True)
        for mark in self.marks.iterdir():
            mark.unlink()
        connection = await asyncpg.connect(self.database_url)
        await connection.execute("TRUNCATE jobs, attempts, workers, users, tenants CASCADE")
        await connection.execute("CHECKPOINT")
        await connection.close()
        async with Redis.from_url(self.redis_url) as redis:
            await redis.flushall()
            await redis.config_resetstat()

    async def empty_redis(self) -> None:
        """As if Valkey had lost its memory."""
        async with Redis.from_url(self.redis_url) as redis:
            await redis.flushall()

    async def waiting_hints(self, queue: str = "default") -> int:
        """How many of Letuin's hints wait in a queue."""
        async with Redis.from_url(self.redis_url) as redis:
            return int(await redis.zcard(RedisKeys().queue(queue)))

    async def redis_commands(self) -> int:
        """How many commands Valkey has run since `clean`, this question and new connections not counted."""
        async with Redis.from_url(self.redis_url) as redis:
            stats = await redis.info("commandstats")
        own = ("info", "config", "client", "hello", "select", "auth")
        names = {
            name: facts for name, facts in stats.items() if name.removeprefix("cmdstat_").partition("|")[0] not in own
        }
        return sum(facts["calls"] for facts in names.values())


@asynccontextmanager
async def running_servers() -> AsyncIterator[Servers]:
    """PostgreSQL as embedded (synchronous_commit on) and Valkey without persistence, in a folder that goes again."""
    with TemporaryDirectory(prefix="letuin-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        async with EmbeddedStack(folder / "data", {}, only={"postgres", "redis"}) as stack:
            urls = stack.environment()
            # Peers are measured without an append-only file; Letuin gets the same server.
            async with Redis.from_url(urls["REDIS_URL"]) as redis:
                await redis.config_set("appendonly", "no")
            servers = Servers(urls["DATABASE_URL"], urls["REDIS_URL"], folder)
            await _migrate(servers)
            yield servers


async def _migrate(servers: Servers) -> None:
    # The migrations are found from the folder of pyproject.toml.
    migration = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "alembic", "upgrade", "head", cwd=_ROOT, env=servers.environment()
    )
    if await migration.wait() != 0:
        raise RuntimeError("the migrations failed; what alembic said stands above")
