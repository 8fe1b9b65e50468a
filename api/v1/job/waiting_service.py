"""A close look at one waiting job: what holds it back, how many are before it, how quickly they go."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from common.database.model import Job
from common.database.session import Sessions
from common.queue.catalog import Catalog
from common.queue.status import JobStatus
from common.queue.waiting import Lanes, Wait, WaitReason, find_wait
from common.repository.fleet import FleetRepository, QueueService
from common.repository.job import JobRepository, Reach
from common.repository.waiting import AwaitedJob, LimitUse, Throughput, WaitingRepository

WINDOW = timedelta(minutes=5)
MOST_COUNTED = 10_000
_MOST_AWAITED = 100
_NOBODY = QueueService(workers=0, slots=0)


@dataclass(frozen=True, slots=True)
class WaitFacts:
    """What is known about a waiting job; `ahead` jobs of its queue come first, at least `MOST_COUNTED` when it is that.

    `estimate` is how long it will probably wait, None when nobody can know.
    """

    job: Job
    wait: Wait | None = None
    is_paused: bool = False
    service: QueueService = _NOBODY
    throughput: Throughput | None = None
    ahead: int | None = None
    estimate: timedelta | None = None
    awaited: list[AwaitedJob] = field(default_factory=list)
    limits: list[LimitUse] = field(default_factory=list)


class WaitingService:
    """Costs some queries, so only those who ask for it pay."""

    def __init__(
        self,
        sessions: Sessions,
        jobs: JobRepository,
        fleet: FleetRepository,
        waits: WaitingRepository,
        catalog: Catalog,
    ) -> None:
        self._sessions = sessions
        self._jobs = jobs
        self._fleet = fleet
        self._waits = waits
        self._kinds = [kind.name for kind in catalog.values()]

    async def explain(self, job_id: UUID, reach: Reach) -> WaitFacts:
        """Everything about why a job waits. Raises `NotFoundError`, or `GoneError` for a purged one."""
        async with self._sessions() as db:
            job = await self._jobs.get(db, job_id, reach, with_payload=False)
            if job.status != JobStatus.QUEUED:
                return WaitFacts(job)
            lanes = await self._fleet.find_lanes(db)
            service = (await self._fleet.list_service(db)).get(job.queue, _NOBODY)
            awaited = (
                await self._waits.list_awaited(db, job_id, reach, limit=_MOST_AWAITED) if job.pending_after else []
            )
            limits = await self._waits.list_limits(db, job_id, reach) if job.limit_keys else []
            ahead = None if job.pending_after else await self._count_ahead(db, job)
            throughput = (await self._waits.list_throughput(db, self._kinds, WINDOW)).get(job.queue)
        wait = _look_closer(job, lanes, limits)
        return WaitFacts(
            job,
            wait,
            is_paused=job.queue in lanes.paused,
            service=service,
            throughput=throughput,
            ahead=ahead,
            estimate=_estimate(wait, ahead, throughput),
            awaited=awaited,
            limits=limits,
        )

    async def _count_ahead(self, db: AsyncSession, job: Job) -> int | None:
        if job.run_at > datetime.now(UTC):
            return None
        return await self._waits.count_ahead(db, job.queue, job.rank_at, job.id, limit=MOST_COUNTED)


def _look_closer(job: Job, lanes: Lanes, limits: list[LimitUse]) -> Wait | None:
    """The row's reason, corrected by what is so now: it notes a limit only when a worker met it."""
    wait = find_wait(job, datetime.now(UTC), lanes)
    if wait is None or wait.reason not in (WaitReason.QUEUE, WaitReason.CONCURRENCY):
        return wait
    is_held = any(limit.running >= limit.value for limit in limits)
    return Wait(WaitReason.CONCURRENCY if is_held else WaitReason.QUEUE)


def _estimate(wait: Wait | None, ahead: int | None, throughput: Throughput | None) -> timedelta | None:
    """How long until it starts: until its time, or as long as its queue takes for those before it."""
    if wait is None:
        return None
    if wait.until is not None and wait.reason is not WaitReason.DEPENDENCY:
        return wait.until - datetime.now(UTC)
    if wait.reason is not WaitReason.QUEUE or ahead is None or throughput is None or ahead >= MOST_COUNTED:
        return None
    return timedelta(seconds=ahead / throughput.ended)
