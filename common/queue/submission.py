"""Submits that need more than one statement: with an idempotency key, a unique key, dependencies, or as a batch."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from common.config import CommonSettings
from common.database.model import Batch, IdempotencyKey, Job
from common.database.outage import is_refused_value
from common.database.session import Sessions
from common.errors import AppError, BusyError, ConflictError, GoneError, InvalidError, KeyReusedError, TooLargeError
from common.ids import new_id
from common.queue.options import SubmitOptions
from common.queue.placement import Placed, Placement
from common.repository.batch import BatchRepository
from common.repository.idempotency import IdempotencyRepository, RequestKey
from common.repository.job import JobRepository, NewJob, Owner
from common.repository.sql import sqlstate

_LIMIT_WAITING = text("SELECT set_config('lock_timeout', :limit, true)")
_DEADLOCK_RETRIES = 3
_CANNOT_STORE = "it holds text or numbers that cannot be stored"

type NewItem = tuple[NewJob, SubmitOptions]


@dataclass(frozen=True, slots=True)
class Replayed:
    """The job of an earlier request with the same key and content."""

    job: Job


@dataclass(frozen=True, slots=True)
class SubmittedBatch:
    """A batch with one outcome per item, in order: where it was placed, or why it was refused."""

    batch: Batch
    items: Sequence[Placed | AppError]
    is_replayed: bool = False


class Submission:
    """Writes jobs in one transaction each call. Nothing is announced here."""

    def __init__(
        self,
        sessions: Sessions,
        jobs: JobRepository,
        batches: BatchRepository,
        keys: IdempotencyRepository,
        placement: Placement,
        settings: CommonSettings,
    ) -> None:
        self._sessions = sessions
        self._jobs = jobs
        self._batches = batches
        self._keys = keys
        self._placement = placement
        self._key_lifetime = settings.idempotency_retention
        self._key_wait = settings.idempotency_wait
        self._release_failed = settings.idempotency_release_failed

    async def submit(self, new: NewJob, options: SubmitOptions, key: RequestKey | None) -> Placed | Replayed:
        """Write one job. Raises `KeyReusedError`, `BusyError`, `GoneError`, or `InvalidError` for a dependency."""

        async def write(db: AsyncSession) -> Placed | Replayed:
            if key is not None and not await self._take(db, new.owner, key):
                return Replayed(await self._replay(db, new.owner, key))
            placed = await self._placement.place(db, new, options)
            if key is not None:
                await self._keys.keep(db, new.owner, key, job_id=placed.job.id)
            return placed

        return await self._write(write)

    async def submit_many(
        self,
        items: Sequence[NewItem | AppError],
        owner: Owner,
        *,
        metadata: Mapping[str, Any] | None,
        key: RequestKey | None,
    ) -> SubmittedBatch:
        """Write a batch. Raises `KeyReusedError`, `BusyError` or `GoneError`; an item's error is its outcome."""

        batch_id = new_id()
        mine = [
            item if isinstance(item, AppError) else (replace(item[0], batch_id=batch_id), item[1]) for item in items
        ]

        async def write(db: AsyncSession) -> SubmittedBatch:
            if key is not None and not await self._take(db, owner, key):
                return await self._replay_many(db, owner, key, len(items))
            outcomes = await self._place_many(db, mine)
            total = sum(isinstance(outcome, Placed) and outcome.is_new for outcome in outcomes)
            batch = await self._batches.insert(db, batch_id, owner, total=total, metadata=metadata)
            if key is not None:
                await self._keys.keep(db, owner, key, batch_id=batch_id, items=[_stored(each) for each in outcomes])
            return SubmittedBatch(batch, outcomes)

        return await self._write(write)

    async def _write[R](self, write: Callable[[AsyncSession], Awaitable[R]]) -> R:
        """Run `write` in a transaction that waits for other holders of its rows only so long."""
        for attempt in range(_DEADLOCK_RETRIES):
            try:
                async with self._sessions.begin() as db:
                    await db.execute(_LIMIT_WAITING, {"limit": f"{int(self._key_wait.total_seconds() * 1000)}ms"})
                    return await write(db)
            except DBAPIError as error:
                match sqlstate(error):
                    case "55P03":
                        raise BusyError("another request with the same key is still under way") from error
                    case "40P01" if attempt + 1 < _DEADLOCK_RETRIES:
                        await asyncio.sleep(random.uniform(0, 0.05))
                    case _ if is_refused_value(error):
                        raise InvalidError(_CANNOT_STORE, path=("body", "payload")) from error
                    case _:
                        raise
        raise BusyError("other requests hold the same jobs")

    async def _take(self, db: AsyncSession, owner: Owner, key: RequestKey) -> bool:
        return await self._keys.take(db, owner, key, lifetime=self._key_lifetime, release_failed=self._release_failed)

    async def _replay(self, db: AsyncSession, owner: Owner, key: RequestKey) -> Job:
        held = await self._get_held(db, owner, key)
        job = None if held.job_id is None else await self._jobs.find(db, held.job_id, owner)
        if job is None:
            raise GoneError(f"the job that was submitted with this key is gone: {held.job_id}")
        return job

    async def _replay_many(self, db: AsyncSession, owner: Owner, key: RequestKey, count: int) -> SubmittedBatch:
        held = await self._get_held(db, owner, key)
        batch = None if held.batch_id is None else await self._batches.find(db, held.batch_id, owner)
        if batch is None:
            raise GoneError(f"the batch that was submitted with this key is gone: {held.batch_id}")
        stored = held.items or []
        if len(stored) != count:
            raise ConflictError("what can be submitted has changed since this key was used")
        found = await self._jobs.find_many(db, [UUID(each["job_id"]) for each in stored if "job_id" in each], owner)
        return SubmittedBatch(batch, [_restored(each, found) for each in stored], is_replayed=True)

    async def _get_held(self, db: AsyncSession, owner: Owner, key: RequestKey) -> IdempotencyKey:
        held = await self._keys.get(db, owner, key)
        if held.fingerprint != key.fingerprint:
            raise KeyReusedError("this idempotency key came with another content before; use a new key")
        return held

    async def _place_many(self, db: AsyncSession, items: Sequence[NewItem | AppError]) -> list[Placed | AppError]:
        """The plain ones in one statement; the others one by one, in the order of their keys against deadlocks."""
        outcomes = {index: item for index, item in enumerate(items) if isinstance(item, AppError)}
        placed: dict[int, Placed | AppError] = dict(outcomes)
        wanted = [(index, item) for index, item in enumerate(items) if not isinstance(item, AppError)]
        plain = [(index, new) for index, (new, options) in wanted if is_plain(options)]
        placed |= await self._insert_plain(db, plain)
        special = [(index, new, options) for index, (new, options) in wanted if not is_plain(options)]
        for index, new, options in sorted(special, key=_lock_order):
            placed[index] = await self._place_one(db, new, options)
        return [placed[index] for index in range(len(items))]

    async def _insert_plain(
        self, db: AsyncSession, plain: Sequence[tuple[int, NewJob]]
    ) -> dict[int, Placed | AppError]:
        if not plain:
            return {}
        try:
            async with db.begin_nested():
                rows = await self._jobs.insert(db, [new for _, new in plain])
        except DBAPIError as error:
            if not is_refused_value(error):
                raise
            return {index: await self._place_one(db, new, SubmitOptions()) for index, new in plain}
        return {index: Placed(job) for (index, _), job in zip(plain, rows, strict=True)}

    async def _place_one(self, db: AsyncSession, new: NewJob, options: SubmitOptions) -> Placed | AppError:
        try:
            async with db.begin_nested():
                return await self._placement.place(db, new, options)
        except AppError as error:
            return error
        except DBAPIError as error:
            if not is_refused_value(error):
                raise
            return InvalidError(_CANNOT_STORE, path=("body", "payload"))


def is_plain(options: SubmitOptions) -> bool:
    """Whether a job with these options is one row and nothing else."""
    return options.unique is None and not options.after and options.notify is None and options.webhook is None


def _lock_order(item: tuple[int, NewJob, SubmitOptions]) -> tuple[str, str, int]:
    index, new, options = item
    return new.kind, (options.unique.key or new.payload_json) if options.unique else "", index


def _stored(outcome: Placed | AppError) -> dict[str, Any]:
    match outcome:
        case Placed():
            return {"job_id": str(outcome.job.id)}
        case _:
            return {"code": outcome.code, "message": outcome.message, "path": list(getattr(outcome, "path", ()))}


def _restored(stored: Mapping[str, Any], found: Mapping[UUID, Job]) -> Placed | AppError:
    if "job_id" in stored:
        job = found.get(UUID(stored["job_id"]))
        return GoneError(f"job {stored['job_id']} is gone") if job is None else Placed(job, is_new=False)
    if stored["code"] == TooLargeError.code:
        return TooLargeError(stored["message"])
    return InvalidError(stored["message"], path=tuple(stored["path"]))
