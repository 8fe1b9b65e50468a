"""Redis: what it holds about jobs that are gone, what would stay for ever, and whether it has its memory."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from itertools import batched
from secrets import token_hex
from uuid import UUID

from common.queue.hints import Hint
from common.repository.sql import UUIDS, fetch, statement
from common.repository.upkeep import UpkeepRepository
from common.verify.check import MOST, Problem, Stores

_BATCH = 500
_REFILL_SECONDS = 30
_WEEK = 7 * 24 * 3600
_KNOWN = statement("SELECT id, finished_at IS NOT NULL FROM jobs WHERE id = ANY(:ids)", ids=UUIDS)
_LIVING = statement("SELECT count(*) FROM workers WHERE stopped_at IS NULL AND lease_expires_at > clock_timestamp()")


@dataclass(frozen=True, slots=True)
class _RedisCheck:
    name: str
    promise: str
    store: str = "Redis"

    def is_for(self, _stores: Stores) -> bool:
        """Redis is always there."""
        return True


class HintCheck(_RedisCheck):
    """A hint is harmless, but those of jobs that do not exist are taken again and again."""

    async def find(self, stores: Stores) -> list[Problem]:
        """Entries of queues that name no job."""
        redis, found = stores.container.redis(), []
        async for key in _scan(stores, "arq:queue:*", f"{stores.container.keys().prefix}:queue:*:later"):
            if await redis.type(key) != b"zset":
                continue
            entries = [raw async for raw, _ in redis.zscan_iter(key, count=_BATCH)]
            for part in batched(entries, _BATCH):
                known = await _find_known(stores, (_read_id(raw) for raw in part))
                strange = [raw for raw in part if _read_id(raw) not in known]
                found += [Problem(f"{key} {raw.decode(errors='replace')}", _hint_words(key, raw)) for raw in strange]
        return found[:MOST]

    async def mend(self, stores: Stores, problems: Sequence[Problem]) -> None:
        """Take them out, with what they say."""
        redis, keys = stores.container.redis(), stores.container.keys()
        for problem in problems:
            queue, _, job_id = problem.key.partition(" ")
            await redis.zrem(queue, job_id)
            await redis.unlink(keys.hint(job_id))


class EventLogCheck(_RedisCheck):
    """Retention removes a job with all that was said about it; an ended job's log runs out."""

    async def find(self, stores: Stores) -> list[Problem]:
        """Logs of jobs that do not exist, and logs of ended jobs that never expire."""
        redis, found = stores.container.redis(), []
        logs = [key async for key in _scan(stores, stores.container.keys().events("*"))]
        for part in batched(logs, _BATCH):
            ids = {key: _read_id(key.split(":")[2].encode()) for key in part}
            known = await _find_known(stores, ids.values())
            for key, job_id in ids.items():
                if job_id not in known:
                    found.append(Problem(key, f"{key} tells of a job that does not exist"))
                elif known[job_id] and await redis.ttl(key) == -1:
                    found.append(Problem(key, f"{key} is of an ended job and never expires"))
        return found[:MOST]

    async def mend(self, stores: Stores, problems: Sequence[Problem]) -> None:
        """Remove the first, let the others run out."""
        redis = stores.container.redis()
        for problem in problems:
            if problem.detail.endswith("expires"):
                await redis.expire(problem.key, stores.settings.event_log_retention)
            else:
                await redis.unlink(problem.key)


class LockCheck(_RedisCheck):
    """Every lock is taken for a time; one without would be held by nobody for ever."""

    async def find(self, stores: Stores) -> list[Problem]:
        """Locks and fences without an end."""
        redis = stores.container.redis()
        locks = [key async for key in _scan(stores, stores.container.keys().lock("*"))]
        return [Problem(key, f"{key} never expires") for key in locks if await redis.pttl(key) == -1][:MOST]

    async def mend(self, stores: Stores, problems: Sequence[Problem]) -> None:
        """Let locks go; a fence only gets its time, because it must not fall."""
        redis = stores.container.redis()
        for problem in problems:
            if problem.key.endswith(":fence"):
                await redis.expire(problem.key, _WEEK)
            else:
                await redis.unlink(problem.key)


class EpochCheck(_RedisCheck):
    """Workers notice an emptied Redis within a second and write every hint again."""

    async def find(self, stores: Stores) -> list[Problem]:
        """A missing epoch although workers live."""
        key = stores.container.keys().broker_epoch
        [(living,)] = await fetch(stores.container.direct(), _LIVING, {})
        if not living or await stores.container.redis().exists(key):
            return []
        return [Problem(key, f"{key} is missing although {living} workers live: Redis was emptied unnoticed")]

    async def mend(self, stores: Stores, problems: Sequence[Problem]) -> None:
        """Write a hint for every job that may start."""
        redis, hints, key = stores.container.redis(), stores.container.hints(), problems[0].key
        if not await redis.set(key, token_hex(8), nx=True, ex=_REFILL_SECONDS):
            return
        waiting = UpkeepRepository().waiting
        async with stores.container.sessions()() as db, aclosing(waiting(db, batch=_BATCH)) as batches:
            async for jobs in batches:
                due = [
                    Hint(job.id, job.owner_id, job.kind, job.queue, job.priority, None, job.dispatch_no) for job in jobs
                ]
                await hints.enqueue(due)
                await redis.expire(key, _REFILL_SECONDS)
        await redis.persist(key)


async def _scan(stores: Stores, *patterns: str) -> AsyncIterator[str]:
    for pattern in patterns:
        async for key in stores.container.redis().scan_iter(pattern, count=_BATCH):
            yield key.decode()


async def _find_known(stores: Stores, ids: Iterable[UUID | None]) -> dict[UUID | None, bool]:
    """Those of the ids that are jobs, and whether they have ended."""
    wanted = [each for each in ids if each is not None]
    return {row[0]: row[1] for row in await fetch(stores.container.direct(), _KNOWN, {"ids": wanted})}


def _read_id(raw: bytes) -> UUID | None:
    try:
        return UUID(raw.decode())
    except ValueError:
        return None


def _hint_words(key: str, raw: bytes) -> str:
    return f"{key} holds {raw[:60].decode(errors='replace')!r}, which is no job"


CHECKS = [
    HintCheck("hints", "every hint is for a job that exists"),
    EventLogCheck("event-logs", "event logs are of jobs that exist, and run out after their ends"),
    LockCheck("locks", "every lock ends by itself"),
    EpochCheck("memory", "workers know that Redis has its memory"),
]
