"""Sound stores, and every way to harm them that `letuin verify` has to find."""

import os
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text

from common.container import CommonContainer
from common.ids import new_id
from common.jobs.system_echo import SystemEchoPayload, system_echo
from common.queue.client import SubmitOptions
from common.queue.limits import ConcurrencyLimit
from common.repository.job import Owner
from common.repository.worker import Incarnation, WorkerRepository
from common.storage.base import FileKey
from common.verify.check import Stores, find_checks
from common.verify.verifier import Finding, verify

PAYLOAD = SystemEchoPayload(message="hi")


@dataclass
class Ground:
    """Sound stores with a job in them, and ways to harm them."""

    container: CommonContainer
    owner: Owner
    stores: Stores
    job_id: UUID

    async def sql(self, statement: str, **values: Any) -> None:
        """Harm rows, past the guards."""
        async with self.container.sessions().begin() as db:
            await db.execute(text("SET LOCAL session_replication_role = replica"))
            await db.execute(text(statement), {"id": self.job_id, **values} if ":id" in statement else values)

    async def submit(self, **options: Any) -> UUID:
        queue = self.container.queue()
        return (await queue.submit(system_echo, PAYLOAD, owner=self.owner, options=SubmitOptions(**options))).id

    async def verify(self, *, mends: bool = False) -> dict[str, Finding]:
        found = await verify(find_checks(), self.stores, mends=mends, settle=0)
        assert not [finding.error for finding in found if finding.error]
        return {finding.check.name: finding for finding in found}


type Harm = Callable[[Ground], Awaitable[None]]


async def lose_lease(ground: Ground) -> None:
    await ground.sql(
        "UPDATE jobs SET status = 'running', attempt = 1, lease_owner = id, started_at = now() WHERE id = :id"
    )


async def miscount(ground: Ground) -> None:
    await ground.sql("UPDATE jobs SET pending_after = 1 WHERE id = :id")


async def forget_dependant(ground: Ground) -> None:
    await ground.submit(after=(ground.job_id,))
    await ground.sql("UPDATE jobs SET status = 'cancelled', finished_at = now(), has_dependants = false WHERE id = :id")


async def look_away(ground: Ground) -> None:
    await ground.sql("UPDATE jobs SET next_dispatch_at = now() + interval '1 day' WHERE id = :id")


async def misrank(ground: Ground) -> None:
    await ground.sql("UPDATE jobs SET rank_at = rank_at + interval '1 year' WHERE id = :id")


async def lower_fence(ground: Ground) -> None:
    await ground.sql(
        "INSERT INTO attempts (job_id, attempt, worker_id, outcome, started_at) VALUES (:id, 7, :id, 'lost', now())"
    )


async def cut_limits(ground: Ground) -> None:
    job_id = await ground.submit(concurrency=ConcurrencyLimit("report", 2))
    await ground.sql("UPDATE jobs SET limit_values = '{}' WHERE id = :job", job=job_id)


async def disarm(ground: Ground) -> None:
    await ground.sql("ALTER TABLE jobs DISABLE TRIGGER guard_job_transition")


async def break_index(ground: Ground) -> None:
    await ground.sql("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix_jobs_batch'::regclass")


async def hint_at_nothing(ground: Ground) -> None:
    redis, keys = ground.container.redis(), ground.container.keys()
    await redis.zadd(keys.queue("default"), {str(new_id()): 0})
    await redis.zadd(keys.later("email"), {"garbage": 0})


async def keep_events(ground: Ground) -> None:
    redis, keys = ground.container.redis(), ground.container.keys()
    await redis.xadd(keys.events(new_id()), {"j": "{}"})
    await ground.container.queue().cancel(ground.job_id, ground.owner)
    await redis.persist(keys.events(ground.job_id))


async def leak_lock(ground: Ground) -> None:
    await ground.container.redis().set(ground.container.keys().lock("report"), "nobody")
    await ground.container.redis().set(ground.container.keys().lock("report") + ":fence", "17")


async def empty_redis(ground: Ground) -> None:
    async with ground.container.sessions().begin() as db:
        worker = Incarnation(new_id(), "host-a", "boot-1", 4711, ("default",), 20)
        await WorkerRepository().register(db, worker, timedelta(seconds=60))
    await ground.container.redis().flushdb()


async def one(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def leave_file(ground: Ground) -> None:
    key = FileKey(new_id(), new_id(), new_id())
    await ground.container.storage().write(key, one(b"nobody's"))
    [path] = ground.stores.settings.data_dir.rglob(str(key.version_id))
    os.utime(path, (0, 0))


async def leave_checkpoints(ground: Ground) -> None:
    path = ground.stores.settings.data_dir / "sqlite-data" / "example" / "sqlite.db"
    path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(path)) as database, database:
        for table in ("checkpoints", "writes"):
            database.execute(f"CREATE TABLE {table} (thread_id TEXT)")
            database.execute(f"INSERT INTO {table} VALUES (?)", (str(new_id()),))


async def reserve_for_nobody(ground: Ground) -> None:
    await ground.sql(
        """INSERT INTO budgets (id, tenant_id, period, max_cost, window_start, reserved_cost, reserved_tokens)
           VALUES (:id, :id, 'day', 5, now(), 1, 100)"""
    )


HARMS: dict[str, Harm] = {
    "leases": lose_lease,
    "dependency-counts": miscount,
    "unaccounted-ends": forget_dependant,
    "dispatch-times": look_away,
    "ranks": misrank,
    "fences": lower_fence,
    "limits": cut_limits,
    "triggers": disarm,
    "indexes": break_index,
    "hints": hint_at_nothing,
    "event-logs": keep_events,
    "locks": leak_lock,
    "memory": empty_redis,
    "document-files": leave_file,
    "checkpoints": leave_checkpoints,
    "budgets": reserve_for_nobody,
}
