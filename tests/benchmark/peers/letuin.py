"""Letuin with everything on: committed rows, attempts, fences, events."""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any
from uuid import UUID

import asyncpg
from redis.asyncio.client import PubSub

from common.config import CommonSettings
from common.container import CommonContainer
from common.database.model import Job
from common.events import is_terminal, parse_batch
from common.ids import new_id
from common.jobs.system_sleep import SystemSleepPayload, system_sleep
from common.queue.catalog import Catalog
from common.queue.definition import AnyJobKind
from common.queue.hints import Hint
from common.repository.job import Owner
from tests.benchmark import kinds
from tests.benchmark.peers.base import Peer, in_parallel

_IN_FLIGHT = 500
_HINTS = 1_000
_FILL = """
    INSERT INTO jobs (id, tenant_id, owner_id, kind, queue, payload, max_attempts, timeout, priority, run_at, rank_at,
                      next_dispatch_at)
    SELECT gen_random_uuid(), $2, $3, $4, $5, '{}', 3, '1 minute', 0, now(), now(), now() + interval '10 seconds'
    FROM generate_series(1, $1::int)
    RETURNING id
"""
_UNFINISHED = "SELECT EXISTS (SELECT FROM jobs WHERE status IN ('queued', 'running'))"


class Letuin(Peer):
    """Submits through `JobQueue`, hears of results through the published events."""

    name = "letuin"

    def command(self, concurrency: int) -> Sequence[str]:
        flags = ["--queues", "default", "--concurrency", str(concurrency)]
        return [sys.executable, "-m", "tests.benchmark.letuin_worker", *flags]

    def environment(self, concurrency: int) -> Mapping[str, str]:
        return self.servers.environment()

    async def open(self) -> None:
        settings = CommonSettings.model_validate(
            {
                "environment": "staging",
                "database_url": self.servers.database_url,
                "redis_url": self.servers.redis_url,
            }
        )
        self._container = CommonContainer(settings=settings)
        self._queue = self._container.queue()
        self._kinds: Mapping[str, AnyJobKind] = Catalog.load(kinds)
        self._owner = Owner(new_id(), new_id())
        self._ends: dict[UUID, asyncio.Future[Any]] = {}
        self._stack = AsyncExitStack()
        self._database = await asyncpg.connect(self.servers.database_url)
        self._stack.push_async_callback(self._database.close)
        self._stack.push_async_callback(self._container.engine().dispose)
        self._stack.push_async_callback(self._container.direct().close)
        self._stack.push_async_callback(self._container.redis().aclose)
        # As where a worker has run before: an empty Redis would be taken for one that lost its memory.
        await self._container.redis().set(self._container.keys().broker_epoch, "benchmark", nx=True)

    async def close(self) -> None:
        await self._stack.aclose()

    async def expect_results(self) -> None:
        pubsub = await self._stack.enter_async_context(self._container.listener_redis().pubsub())
        await pubsub.subscribe(self._container.keys().event_channel)
        await pubsub.get_message(timeout=5)
        listener = asyncio.create_task(self._listen(pubsub))
        self._stack.push_async_callback(_stop, listener)

    async def submit(self, job: str, *args: float) -> Job:
        kind = self._kinds[f"bench.{job}"]
        payload = kind.payload(**dict(zip(kind.payload.model_fields, args, strict=True)))
        return await self._queue.submit(kind, payload, owner=self._owner)

    async def submit_many(self, job: str, count: int, *args: float) -> None:
        await in_parallel(lambda: self.submit(job, *args), count, at_a_time=_IN_FLIGHT)

    async def result(self, handle: Job) -> Any:
        result = (await self._end_of(handle.id))["result"]
        return result.get("at")

    async def is_drained(self, count: int) -> bool:
        return not await self._database.fetchval(_UNFINISHED)

    async def finished(self) -> int:
        return int(await self._database.fetchval("SELECT count(*) FROM attempts"))

    async def running(self) -> int:
        return int(await self._database.fetchval("SELECT count(*) FROM jobs WHERE status = 'running'"))

    async def workers(self) -> int:
        return int(await self._database.fetchval("SELECT count(*) FROM workers WHERE stopped_at IS NULL"))

    async def fill(self, job: str, count: int) -> None:
        kind = self._kinds[f"bench.{job}"]
        owner = self._owner.user_id
        rows = await self._database.fetch(_FILL, count, self._owner.tenant_id, owner, kind.name, kind.queue)
        hints = [Hint(row["id"], owner, kind.name, kind.queue) for row in rows]
        for start in range(0, count, _HINTS):
            await self._container.hints().enqueue(hints[start : start + _HINTS])

    async def sleep(self, seconds: float) -> None:
        await self._queue.submit(system_sleep, SystemSleepPayload(seconds=seconds), owner=self._owner)

    async def attempts(self) -> int:
        highest = "SELECT coalesce(max(attempt), 0) FROM jobs WHERE status = 'running'"
        return int(await self._database.fetchval(highest))

    def supervised(self) -> Sequence[str]:
        return [sys.executable, "-m", "common.cli.main", "worker", "--queues", "default"]

    def _end_of(self, job_id: UUID) -> asyncio.Future[Any]:
        return self._ends.setdefault(job_id, asyncio.get_running_loop().create_future())

    async def _listen(self, pubsub: PubSub) -> None:
        async for message in pubsub.listen():
            for event in parse_batch(message["data"]):
                if is_terminal(event.type) and not (end := self._end_of(event.job_id)).done():
                    end.set_result(event.data)


async def _stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])


class LetuinDefault(Letuin):
    """The same with the worker's default concurrency of 20, where a case does not ask for as many as it has."""

    name = "letuin-default"

    def concurrency(self, wanted: int, *, waiting: bool) -> int:
        return wanted if waiting else 20
