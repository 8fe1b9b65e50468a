"""A job of a schedule at once, out of turn: its times do not matter, what still runs does."""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from common.database.model import Firing, FiringOutcome, Job, Overlap, Schedule
from common.database.session import Sessions
from common.errors import ConflictError, NotFoundError
from common.queue.announcer import Announcer
from common.queue.firings import FiringWriter, PlannedFiring
from common.repository.job import JobRepository, Owner, Reach
from common.repository.schedule import NewFiring, ScheduleRepository

_WAITS = "waits for the end of the job before"


class ManualRuns:
    """What is not within reach is treated as missing. The job is the schedule's owner's, whoever asks for it."""

    def __init__(
        self,
        sessions: Sessions,
        schedules: ScheduleRepository,
        firings: FiringWriter,
        jobs: JobRepository,
        announcer: Announcer,
    ) -> None:
        self._sessions = sessions
        self._schedules = schedules
        self._firings = firings
        self._jobs = jobs
        self._announcer = announcer

    async def run(self, reach: Reach, schedule_id: UUID, overlap: Overlap | None) -> tuple[Firing, Job | None]:
        """Fire now; `overlap` stands for the schedule's own. Without a job the firing waits for the one before.

        Raises `NotFoundError`, `ConflictError` when the job before has not ended and the overlap lets nothing wait,
        and what making a schedule raises.
        """
        cancelled = None
        async with self._sessions.begin() as db:
            schedule = await self._schedules.find(db, schedule_id, reach, lock=True)
            if schedule is None:
                raise NotFoundError(f"schedule {schedule_id} does not exist")
            owner = Owner(schedule.tenant_id, schedule.owner_id)
            now = await self._schedules.now(db)
            before = await self._running(db, schedule, owner)
            match Overlap(overlap or schedule.overlap):
                case Overlap.SKIP if before:
                    raise ConflictError(f"job {before.id} has not ended; give ?overlap=allow to run beside it")
                case Overlap.BUFFER_ONE if before:
                    return await self._buffer(db, schedule, now), None
                case Overlap.CANCEL_OTHER if before:
                    cancelled = await self._cancel(db, before.id, owner)
            firing, job = await self._fire(db, schedule, now)
        await self._announce(job, cancelled)
        return firing, job

    async def _running(self, db: AsyncSession, schedule: Schedule, owner: Owner) -> Job | None:
        if schedule.last_job_id is None:
            return None
        job = await self._jobs.find(db, schedule.last_job_id, owner, with_payload=False)
        return None if job is None or job.finished_at else job

    async def _buffer(self, db: AsyncSession, schedule: Schedule, now: datetime) -> Firing:
        if schedule.pending_slot is not None:
            raise ConflictError("the job before has not ended, and one waits for its end already")
        firing = replace(_firing(schedule, now), outcome=str(FiringOutcome.BUFFERED), detail=_WAITS)
        await self._schedules.add_firings(db, [firing])
        schedule.pending_slot = now
        return _row(firing, now)

    async def _fire(self, db: AsyncSession, schedule: Schedule, now: datetime) -> tuple[Firing, Job]:
        new = self._firings.build_job(schedule, now, now)
        firing = replace(_firing(schedule, now), job_id=new.id)
        [job] = await self._firings.write(db, [PlannedFiring(schedule, firing, new)])
        schedule.last_job_id, schedule.last_slot = job.id, now
        return _row(firing, now), job

    async def _cancel(self, db: AsyncSession, job_id: UUID, owner: Owner) -> Job | None:
        if not await self._jobs.cancel_queued(db, job_id, owner):
            await self._jobs.request_cancel(db, job_id, owner)
        return await self._jobs.find(db, job_id, owner, refresh=True)

    async def _announce(self, job: Job, cancelled: Job | None) -> None:
        await self._announcer.announce(job)
        if cancelled is not None and cancelled.status == "cancelled":
            await self._announcer.cancelled([cancelled])
        elif cancelled is not None and cancelled.status == "running":
            await self._announcer.cancelling([cancelled])


def _firing(schedule: Schedule, now: datetime) -> NewFiring:
    return NewFiring(
        schedule_id=schedule.id,
        slot=now,
        cause="manual",
        outcome=str(FiringOutcome.FIRED),
        detail=None,
        job_id=None,
        lag=timedelta(0),
        version=schedule.version,
    )


def _row(firing: NewFiring, now: datetime) -> Firing:
    return Firing(**{name: getattr(firing, name) for name in NewFiring.__dataclass_fields__}, fired_at=now)
