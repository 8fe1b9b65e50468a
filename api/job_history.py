"""What delivery reads: the numbered log in Redis, and the row when the log cannot tell."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from loguru import logger
from redis import RedisError

from api.lifecycle_events import lifecycle_events, terminal_event
from api.metrics import ApiMetrics
from api.v1.job.schema import JobRead
from common.database.model import Job
from common.database.session import Sessions
from common.events import EventLog, EventPage
from common.queue.status import JobStatus
from common.repository.job import JobRepository, Reach

_READS_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Position:
    """Where a subscription begins. Events after `start` follow; `seq` is what the client is told.

    `recovered` means that nothing between the client's number and `start` is missing; `seq` is then the newest
    number of the log. Otherwise a snapshot replaces what the client knew, and `seq` equals `start`.
    """

    epoch: str | None
    seq: int
    start: int
    recovered: bool


class JobHistory:
    """Reads for many feeds at once without using up the connections."""

    def __init__(self, log: EventLog, sessions: Sessions, jobs: JobRepository, metrics: ApiMetrics) -> None:
        self._log = log
        self._metrics = metrics
        self._sessions = sessions
        self._jobs = jobs
        self._turns = asyncio.Semaphore(_READS_AT_ONCE)

    async def read(
        self, job_id: UUID, *, after_seq: int = 0, epoch: str | None = None, limit: int | None = None
    ) -> EventPage:
        """As `EventLog.read`."""
        async with self._turns:
            return await self._log.read(job_id, after_seq=after_seq, epoch=epoch, limit=limit)

    async def find(self, job_id: UUID, owner: Reach) -> Job | None:
        """The job, if it is within reach."""
        async with self._turns, self._sessions() as db:
            return await self._jobs.find(db, job_id, owner, with_payload=False)

    async def get(self, job_id: UUID, owner: Reach) -> Job:
        """The job, if it is within reach. Raises `NotFoundError`, or `GoneError` for a purged one."""
        async with self._turns, self._sessions() as db:
            return await self._jobs.get(db, job_id, owner, with_payload=False)

    def show(self, job: Job) -> dict[str, Any]:
        """The job as HTTP shows it."""
        return JobRead.of(job).model_dump(mode="json")

    async def locate(self, job: Job, after_seq: int, epoch: str | None) -> Position:
        """Where a client that saw `after_seq` of `epoch` goes on."""
        position = await self._locate(job, after_seq, epoch)
        if after_seq:
            self._metrics.replayed(is_whole=position.recovered)
        return position

    async def _locate(self, job: Job, after_seq: int, epoch: str | None) -> Position:
        page = await self.read(job.id, after_seq=after_seq, epoch=epoch, limit=1)
        if page.epoch is None:
            is_untouched = job.status == JobStatus.QUEUED and job.attempt == 0
            return Position(None, 0, 0, recovered=page.recovered and is_untouched)
        if page.recovered:
            return Position(page.epoch, page.seq, after_seq, recovered=True)
        kept = await self.read(job.id, limit=1)
        start = first_kept(kept)
        return Position(kept.epoch, start, start, recovered=False)

    async def locate_patiently(self, job: Job, after_seq: int, epoch: str | None) -> Position:
        """As `locate`; without Redis the row still answers, and what the log holds follows when Redis is back."""
        try:
            return await self.locate(job, after_seq, epoch)
        except (RedisError, OSError) as error:
            logger.warning("Subscribed without the log: {}", type(error).__name__)
            return Position(epoch, after_seq, after_seq, recovered=False)

    async def restore_end(self, job: Job) -> None:
        """Put the end of an ended job back into its log, with its whole lifecycle when nothing is left of that.

        Every process then delivers it. What the log has already is not doubled: an ended attempt accepts nothing more.
        """
        page = await self.read(job.id, limit=1)
        if page.epoch is not None:
            await self._log.append([terminal_event(job)])
            return
        async with self._turns, self._sessions() as db:
            attempts = await self._jobs.list_attempts(db, job.id)
        await self._log.append(lifecycle_events(job, attempts))


def first_kept(page: EventPage) -> int:
    """The number before the first event of a page that was read from the beginning."""
    return page.events[0].seq - 1 if page.events else page.seq


def has_ended(job: Job | None, *, seconds_ago: float = 0) -> bool:
    """Whether the job ended at least that long ago."""
    if job is None or job.finished_at is None:
        return False
    return (datetime.now(UTC) - job.finished_at).total_seconds() >= seconds_ago
