"""What the end of a job means for those that wait for it: they start, fail or are cancelled."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from uuid import UUID

from loguru import logger
from redis import RedisError

from common.database.session import Sessions
from common.events import EventType, NewEvent
from common.metrics.job_metrics import JobMetrics
from common.queue.hints import Hint, HintQueue
from common.queue.status import JobStatus
from common.repository.dependency import DependencyRepository, FreedJob

_BATCH = 500


class Dependants:
    """Accounts ends. Losing a call is harmless: the reconciler sweeps what was left."""

    def __init__(
        self,
        sessions: Sessions,
        dependencies: DependencyRepository,
        hints: HintQueue,
        put: Callable[[NewEvent], None],
        metrics: JobMetrics,
    ) -> None:
        self._sessions = sessions
        self._dependencies = dependencies
        self._hints = hints
        self._put = put
        self._metrics = metrics

    async def resolve(self, ended: Sequence[UUID]) -> None:
        """Account the ends of these jobs, and those that follow from them. Raises what the database raises."""
        while ended:
            async with self._sessions.begin() as db:
                freed = await self._dependencies.resolve(db, ended)
            await self._tell(freed)
            ended = [job.id for job in freed if job.has_dependants and job.status.is_terminal]

    async def sweep(self) -> None:
        """Account ends that nobody has accounted yet, a bounded number."""
        async with self._sessions() as db:
            ended = await self._dependencies.find_unresolved(db, limit=_BATCH)
        await self.resolve(ended)

    async def _tell(self, freed: Sequence[FreedJob]) -> None:
        for job in freed:
            if job.status.is_terminal:
                self._metrics.finished(job, job.status)
                event_type = EventType.CANCELLED if job.status is JobStatus.CANCELLED else EventType.FAILED
                self._put(NewEvent(job.id, job.owner_id, event_type, job.attempt, {"error": job.error}))
        try:
            await self._hints.enqueue([_hint(job) for job in freed if not job.status.is_terminal])
        except (RedisError, OSError, TimeoutError):
            logger.debug("Redis is away; the dispatcher will see to the jobs that may start")


def _hint(job: FreedJob) -> Hint:
    due = job.run_at if job.run_at > datetime.now(UTC) else None
    return Hint(job.id, job.owner_id, job.kind, job.queue, job.priority, due, job.dispatch_no)
