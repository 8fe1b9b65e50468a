"""Where a worker's next jobs come from: hints in Redis, or straight from PostgreSQL when there are none."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic
from uuid import UUID

from loguru import logger
from redis import RedisError
from sqlalchemy.ext.asyncio import AsyncEngine

from common.database.direct import DirectPool
from common.database.outage import DATABASE_ERRORS
from common.queue.hints import HintQueue, TakenHint
from common.repository.attempt import AttemptRepository, ClaimedJob
from common.repository.limit import LimitRepository

_BATCH = 500
_FLOWING = 5  # times rarer polls: as long as hints bring jobs, each that a poll claims leaves a hint that means nothing
_REDIS_AWAY = (RedisError, OSError, TimeoutError)


@dataclass(frozen=True, slots=True)
class Claim:
    """Jobs to run now, and whether more of them probably wait."""

    jobs: list[ClaimedJob]
    is_more: bool


class Claimer:
    """Claims batches of jobs for some queues, each queue first in turn. An outage yields nothing and raises nothing."""

    def __init__(
        self,
        engine: AsyncEngine,
        direct: DirectPool,
        attempts: AttemptRepository,
        limits: LimitRepository,
        hints: HintQueue,
        queues: Sequence[str],
        listens_at: str,
        *,
        redelivery: timedelta,
        poll_interval: timedelta,
    ) -> None:
        self._engine = engine
        self._direct = direct
        self._attempts = attempts
        self._limits = limits
        self._hints = hints
        self._queues = list(queues)
        self._listens_at = listens_at
        self._redelivery = redelivery
        self._poll_interval = poll_interval.total_seconds()
        self._settled: list[TakenHint] = []
        self._next_poll = 0.0
        self._has_more = False
        self._is_put_off = False
        self._warned_at = float("-inf")
        self.is_unsure = False
        """Whether a claim failed whose answer may have been lost; whoever has looked after that clears it."""

    async def claim(self, worker_id: UUID, limit: int, *, is_told: bool = True) -> Claim:
        """Up to `limit` jobs, each with its attempt raised and its lease set. Redis is asked only when `is_told`.

        Once per poll interval also without hints, and less often while many of them come: some die with whoever took
        them. Hints that mean nothing any more are passed over at once, however many wait in front.
        """
        limit = min(limit, _BATCH)
        jobs: list[ClaimedJob] = []
        try:
            is_polling = monotonic() >= self._next_poll
            if is_polling and (self._is_put_off or not is_told):
                jobs += await self._claim_next(worker_id, limit)
            while is_told and (left := limit - len(jobs)) and (taken := await self._take(left)):
                if found := await self._claim_hinted(worker_id, taken):
                    self._is_put_off = is_polling  # what was found starts first
                    return Claim(jobs + found, is_more=len(taken) == left or self._has_more or is_polling)
            self._next_poll = min(self._next_poll, monotonic() + self._poll_interval)
            if not jobs and (self._has_more or monotonic() >= self._next_poll):
                jobs += await self._claim_next(worker_id, limit)
            if not is_told:
                await self.settle()
        except DATABASE_ERRORS as error:
            self.is_unsure = True
            self._warn("PostgreSQL is away; the worker waits: {}", error)
        return Claim(jobs, is_more=bool(jobs) and self._has_more)

    async def settle(self) -> None:
        """Tell Redis which hints have had their answer, when no taking does that soon."""
        settled = list(self._settled)
        try:
            await self._hints.settle(settled)
            del self._settled[: len(settled)]
        except _REDIS_AWAY as error:
            self._warn("Redis is away; the worker claims from PostgreSQL: {}", error)

    async def leave(self) -> None:
        """Nothing is claimed from now on: settle, and let others be woken."""
        await self.settle()
        with suppress(*_REDIS_AWAY):
            await self._hints.leave(self._queues, self._listens_at)

    async def _take(self, limit: int) -> list[TakenHint]:
        self._queues.append(self._queues.pop(0))
        try:
            settled = list(self._settled)
            taken = await self._hints.take(
                self._queues, limit, redelivery=self._redelivery, settled=settled, listens_at=self._listens_at
            )
            del self._settled[: len(settled)]
            return taken
        except _REDIS_AWAY as error:
            self._warn("Redis is away; the worker claims from PostgreSQL: {}", error)
            self._next_poll = 0.0
            return []

    async def _claim_hinted(self, worker_id: UUID, taken: list[TakenHint]) -> list[ClaimedJob]:
        ids = [hint.job_id for hint in taken]
        jobs = await self._attempts.claim(self._direct, worker_id, ids)
        left = set(ids) - {job.id for job in jobs}
        limited = await self._limits.find(self._direct, ids=list(left)) if left else {}
        jobs += await self._claim_limited(worker_id, limited)
        self._settled += taken
        return jobs

    async def _claim_next(self, worker_id: UUID, limit: int) -> list[ClaimedJob]:
        self._next_poll = monotonic() + self._poll_interval * (_FLOWING if self._is_put_off else 1)
        self._is_put_off = False
        jobs = await self._attempts.claim_next(self._direct, worker_id, self._queues, limit)
        self._has_more = len(jobs) == limit
        if self._has_more:
            return jobs
        limited = await self._limits.find(self._direct, queues=self._queues, limit=limit - len(jobs))
        return jobs + await self._claim_limited(worker_id, limited)

    async def _claim_limited(self, worker_id: UUID, candidates: Mapping[UUID, Sequence[str]]) -> list[ClaimedJob]:
        if not candidates:
            return []
        async with self._engine.begin() as db:
            return await self._limits.claim(db, worker_id, candidates)

    def _warn(self, message: str, error: Exception) -> None:
        if monotonic() - self._warned_at > 10:
            self._warned_at = monotonic()
            logger.warning(message, type(error).__name__)
