"""Fires what is due. Every worker can lead; one does, to save work: the rows keep ten of them correct."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from time import monotonic

from loguru import logger
from sqlalchemy.ext.asyncio import AsyncSession

from common.database.direct import DirectPool
from common.database.model import FiringOutcome, Job
from common.database.outage import DATABASE_ERRORS
from common.database.session import Sessions
from common.errors import AppError, UnknownKindError
from common.mail.templates import MailTemplate
from common.queue.announcer import Announcer
from common.queue.firings import FiringWriter, PlannedFiring
from common.queue.notices import Notices
from common.repository.job import JobRepository, NewJob, Owner
from common.repository.schedule import DueSchedule, NewFiring, ScheduleMove, ScheduleRepository
from common.schedule.plan import SlotPlan, due_at, plan_due
from worker.leader import Leader
from worker.lease import LeaseKeeper
from worker.metrics import WorkerMetrics
from worker.notifier import Notifier
from worker.system_schedules import SystemSchedules

_TICK = 0.25
_PENDING_EVERY = 1.0
_BATCH = 500
_AT_ONCE = 3
_LOOK_AGAIN = timedelta(seconds=15)


@dataclass(slots=True)
class _Round:
    """What one transaction is going to write."""

    planned: list[PlannedFiring] = field(default_factory=list)
    moves: list[ScheduleMove] = field(default_factory=list)
    cancels: list[tuple[Owner, DueSchedule]] = field(default_factory=list)
    disabled: list[tuple[DueSchedule, str]] = field(default_factory=list)


class Scheduler:
    """The leader's loop over schedules."""

    def __init__(
        self,
        sessions: Sessions,
        schedules: ScheduleRepository,
        firings: FiringWriter,
        jobs: JobRepository,
        announcer: Announcer,
        notices: Notices,
        system: SystemSchedules,
        notifier: Notifier,
        direct: DirectPool,
        metrics: WorkerMetrics,
        *,
        grace: timedelta,
        unknown_kind_grace: timedelta,
    ) -> None:
        self._sessions = sessions
        self._schedules = schedules
        self._firings = firings
        self._jobs = jobs
        self._announcer = announcer
        self._notices = notices
        self._system = system
        self._notifier = notifier
        self._direct = direct
        self._metrics = metrics
        self._grace = grace
        self._unknown_kind_grace = unknown_kind_grace
        self._next_pending = 0.0
        self._silent_until = 0.0

    async def run(self, keeper: LeaseKeeper, leader: Leader) -> None:
        """Fire while this worker leads, until cancelled."""
        while True:
            if leader.is_leading:
                await self._try_tick(keeper)
            await asyncio.sleep(_TICK)

    async def tick(self) -> int:
        """Fire everything that is due, and send the mails about ends; how many schedules were looked at."""
        await self._system.sync()
        wanted = await self._schedules.look(self._direct)
        total = count = await self._fire_due() if wanted.due else 0
        while count == _BATCH:
            # Several at once: the database writes one batch while the next is planned.
            counts = await asyncio.gather(*(self._fire_due() for _ in range(_AT_ONCE)))
            total += sum(counts)
            count = max(counts)
        if monotonic() >= self._next_pending:
            self._next_pending = monotonic() + _PENDING_EVERY
            if wanted.pending:
                total += await self._fire_pending()
            if wanted.notices:
                await self._notifier.sweep()
        return total

    async def _try_tick(self, keeper: LeaseKeeper) -> None:
        if not keeper.is_valid:
            return
        try:
            await self.tick()
        except DATABASE_ERRORS as error:
            if monotonic() >= self._silent_until:
                self._silent_until = monotonic() + 10
                logger.warning("PostgreSQL is away; schedules wait: {}", type(error).__name__)

    async def _fire_due(self) -> int:
        round_ = _Round()
        async with self._sessions.begin() as db:
            due = await self._schedules.lock_due(db, limit=_BATCH)
            for each in due:
                self._plan(round_, each)
            cancelled = [await self._cancel(db, owner, each) for owner, each in round_.cancels]
            jobs = await self._firings.write(db, round_.planned)
            mails = await self._disable(db, round_.disabled)
            if round_.moves:
                await self._schedules.move(db, round_.moves)
        await self._announce(jobs + mails, [job for job in cancelled if job is not None])
        for planned in round_.planned:
            self._metrics.fires.add(planned.firing.outcome)
            self._metrics.fire_lag.observe(planned.firing.lag.total_seconds())
        if late := [each.firing.lag for each in round_.planned if each.firing.lag > self._grace]:
            logger.info("Slots were late: count={} most_seconds={:.1f}", len(late), max(late).total_seconds())
        return len(due)

    async def _fire_pending(self) -> int:
        """Slots that waited for the end of the job before."""
        async with self._sessions.begin() as db:
            due = await self._schedules.lock_pending(db, limit=_BATCH)
            planned, moves = [], []
            for each in due:
                schedule, slot = each.schedule, each.schedule.pending_slot
                if slot is None:
                    continue
                plan = SlotPlan(slot, FiringOutcome.FIRED, "buffered", each.now - slot)
                job = self._build(_Round(), each, plan)
                if job is not None:
                    planned.append(PlannedFiring(schedule, _firing(each, plan, job), job))
                job_id = None if job is None else job.id
                moves.append(ScheduleMove(schedule.id, schedule.next_slot, schedule.due_at, None, slot, job_id))
            if moves:
                await self._schedules.release_buffered(db, [each.firing for each in planned])
                await self._schedules.move(db, moves)
            jobs = await self._firings.insert_jobs(db, planned)
        await self._announce(jobs, [])
        return len(due)

    def _plan(self, round_: _Round, due: DueSchedule) -> None:
        schedule = due.schedule
        plan = plan_due(schedule, due.now, is_last_active=due.is_last_active, grace=self._grace)
        last_job = None
        for slot in plan.slots:
            job: NewJob | None = None
            if slot.outcome is FiringOutcome.FIRED:
                job = self._build(round_, due, slot)
                if job is None:
                    return
                last_job = job.id
                if slot.cancels_last and due.is_last_active:
                    round_.cancels.append((Owner(schedule.tenant_id, schedule.owner_id), due))
            round_.planned.append(PlannedFiring(schedule, _firing(due, slot, job), job))
        fired = [slot.slot for slot in plan.slots if slot.outcome is FiringOutcome.FIRED]
        round_.moves.append(
            ScheduleMove(
                schedule.id,
                plan.next_slot,
                due_at(schedule, plan.next_slot),
                plan.pending_slot,
                fired[-1] if fired else None,
                last_job,
            )
        )

    def _build(self, round_: _Round, due: DueSchedule, slot: SlotPlan) -> NewJob | None:
        """The slot's job, or None when there cannot be one: the schedule waits a little, or is disabled."""
        schedule = due.schedule
        try:
            return self._firings.build_job(schedule, slot.slot, due.now)
        except UnknownKindError:
            # Another release may know it, while a deploy is under way.
            if slot.lag < self._unknown_kind_grace:
                later = due.now + _LOOK_AGAIN
                round_.moves.append(
                    ScheduleMove(schedule.id, schedule.next_slot, later, schedule.pending_slot, None, None)
                )
            else:
                round_.disabled.append((due, f"there is no job kind {schedule.kind} any more"))
        except AppError as error:
            round_.disabled.append((due, error.message))
        return None

    async def _cancel(self, db: AsyncSession, owner: Owner, due: DueSchedule) -> Job | None:
        job_id = due.schedule.last_job_id
        if job_id is None:
            return None
        if not await self._jobs.cancel_queued(db, job_id, owner):
            await self._jobs.request_cancel(db, job_id, owner)
        return await self._jobs.find(db, job_id, owner, refresh=True)

    async def _disable(self, db: AsyncSession, disabled: Sequence[tuple[DueSchedule, str]]) -> list[Job]:
        mails: list[NewJob] = []
        for due, reason in disabled:
            schedule = due.schedule
            logger.warning("A schedule was disabled: schedule_id={} reason={}", schedule.id, reason)
            await self._schedules.disable(db, [schedule.id], reason)
            variables = {"schedule": " ".join(schedule.name.split())[:200], "reason": " ".join(reason.split())[:1000]}
            owner = Owner(schedule.tenant_id, schedule.owner_id)
            mail = await self._notices.mail_to(db, owner, MailTemplate.SCHEDULE_DISABLED, variables)
            if mail is not None:
                mails.append(mail)
        return await self._jobs.insert(db, mails) if mails else []

    async def _announce(self, jobs: Sequence[Job], cancelled: Sequence[Job]) -> None:
        if jobs:
            await self._announcer.announce_many(jobs)
        await self._announcer.cancelled([job for job in cancelled if job.status == "cancelled"])
        await self._announcer.cancelling([job for job in cancelled if job.status == "running"])


def _firing(due: DueSchedule, plan: SlotPlan, job: NewJob | None) -> NewFiring:
    return NewFiring(
        schedule_id=due.schedule.id,
        slot=plan.slot,
        cause=plan.cause,
        outcome=str(plan.outcome),
        detail=plan.detail,
        job_id=None if job is None else job.id,
        lag=plan.lag,
        version=due.schedule.version,
    )
