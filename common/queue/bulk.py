"""Steering many jobs by filter: a bounded number a call, with the count and whether more are left."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from uuid import UUID

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from common.config import CommonSettings
from common.database.model import Job
from common.database.session import Sessions
from common.queue.announcer import Announcer
from common.queue.status import JobStatus
from common.repository.bulk import BulkRepository
from common.repository.job import Owner
from common.repository.job_filter import JobFilter
from common.repository.sql import sqlstate

_ACTIVE = (JobStatus.QUEUED, JobStatus.RUNNING)
_RETRYABLE = (JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.EXPIRED)
_DEADLOCK = "40P01"
_DEADLOCK_RETRIES = 5


@dataclass(frozen=True, slots=True)
class BulkCancelled:
    """How many jobs were cancelled at once, how many were asked to stop, and whether matching ones are left."""

    cancelled: int
    requested: int
    has_more: bool


@dataclass(frozen=True, slots=True)
class BulkRetried:
    """How many jobs were queued again, and whether matching ones are left."""

    retried: int
    has_more: bool


class BulkQueue:
    """Cancels and retries by filter, at most MAX_BULK_JOBS a call, oldest first."""

    def __init__(
        self, sessions: Sessions, bulk: BulkRepository, announcer: Announcer, settings: CommonSettings
    ) -> None:
        self._sessions = sessions
        self._bulk = bulk
        self._announcer = announcer
        self._limit = settings.max_bulk_jobs

    async def cancel(self, owner: Owner, wanted: JobFilter, *, reason: str | None = None) -> BulkCancelled:
        """Stop the queued and running jobs that match; a status in the filter narrows that.

        `reason` is what those say that had not started.
        """
        status = tuple(each for each in wanted.status or _ACTIVE if each in _ACTIVE)
        if not status:
            return BulkCancelled(0, 0, has_more=False)
        write = partial(self._bulk.cancel, reason=reason) if reason else self._bulk.cancel
        jobs, has_more = await self._steer(owner, replace(wanted, status=status), write)
        cancelled = [job for job in jobs if job.status == JobStatus.CANCELLED]
        requested = [job for job in jobs if job.status == JobStatus.RUNNING]
        await self._announcer.cancelled(cancelled)
        await self._announcer.cancelling(requested)
        return BulkCancelled(len(cancelled), len(requested), has_more)

    async def retry(self, owner: Owner, wanted: JobFilter) -> BulkRetried:
        """Queue the failed jobs that match again; a status in the filter chooses cancelled or expired ones."""
        status = tuple(each for each in wanted.status or (JobStatus.FAILED,) if each in _RETRYABLE)
        if not status:
            return BulkRetried(0, has_more=False)
        jobs, has_more = await self._steer(owner, replace(wanted, status=status), self._bulk.retry)
        await self._announcer.announce_many(jobs)
        return BulkRetried(len(jobs), has_more)

    async def _steer(
        self,
        owner: Owner,
        wanted: JobFilter,
        write: Callable[[AsyncSession, Sequence[UUID]], Awaitable[list[Job]]],
    ) -> tuple[list[Job], bool]:
        for attempt in range(_DEADLOCK_RETRIES):
            try:
                async with self._sessions.begin() as db:
                    ids = await self._bulk.lock(db, owner, replace(wanted, limit=self._limit + 1))
                    return await write(db, ids[: self._limit]), len(ids) > self._limit
            except DBAPIError as error:
                if sqlstate(error) != _DEADLOCK or attempt + 1 == _DEADLOCK_RETRIES:
                    raise
                await asyncio.sleep(random.uniform(0, 0.05))
        raise AssertionError("unreachable")
