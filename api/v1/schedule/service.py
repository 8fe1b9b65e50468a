"""Schedules, for their owners: make, read, change, pause, run now, look ahead, fire the past again."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from api.caller import Caller
from api.config import ApiSettings
from api.cursors import CursorSigner, scope_of
from api.v1.schedule.check import ScheduleCheck, keep_declared
from api.v1.schedule.schema import ScheduleCreate, ScheduleRead, ScheduleUpdate
from common.database.model import Firing, FiringOutcome, Job, Schedule, ScheduleStatus
from common.database.session import Sessions
from common.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError, RateLimitedError
from common.ids import new_id
from common.queue.announcer import Announcer
from common.queue.firings import FiringWriter, PlannedFiring
from common.repository.job import Owner, Reach, WholeTenant
from common.repository.schedule import NewFiring, ScheduleFilter, ScheduleRepository
from common.schedule.plan import due_at, trigger_of

_JUST_NOW = timedelta(seconds=30)
_TRY_LATER = timedelta(minutes=1)
_RESUMABLE = (ScheduleStatus.PAUSED, ScheduleStatus.DISABLED)


@dataclass(frozen=True, slots=True)
class SchedulesFound:
    """Schedules, and the cursor of those after them."""

    schedules: Sequence[Schedule]
    next_cursor: str | None


class ScheduleService:
    """What is not within reach is treated as missing: operators see, pause, resume and run those of their tenant."""

    def __init__(
        self,
        sessions: Sessions,
        schedules: ScheduleRepository,
        firings: FiringWriter,
        check: ScheduleCheck,
        announcer: Announcer,
        cursors: CursorSigner,
        settings: ApiSettings,
    ) -> None:
        self._sessions = sessions
        self._schedules = schedules
        self._firings = firings
        self._check = check.check
        self._announcer = announcer
        self._cursors = cursors
        self._settings = settings

    async def create(self, owner: Owner, wanted: ScheduleCreate) -> Schedule:
        """Add a schedule.

        Raises `UnknownKindError`, `InvalidError` for a payload that does not fit the kind or names what is not the
        owner's, a time that never comes or comes too often, and `RateLimitedError` when the owner has as many as
        MAX_SCHEDULES_PER_OWNER allows.
        """
        schedule_id = new_id()
        async with self._sessions.begin() as db:
            now = await self._schedules.now(db)
            limit = self._settings.max_schedules_per_owner
            if limit and await self._schedules.count(db, owner) >= limit:
                raise RateLimitedError(f"MAX_SCHEDULES_PER_OWNER allows {limit} schedules", retry_after=_TRY_LATER)
            schedule = Schedule(
                id=schedule_id,
                tenant_id=owner.tenant_id,
                owner_id=owner.user_id,
                anchor=wanted.starts_at or now,
                status=str(ScheduleStatus.PAUSED if wanted.paused else ScheduleStatus.ACTIVE),
                version=1,
                **wanted.columns(),
            )
            await self._check(db, schedule, now)
            self._aim(schedule, now)
            db.add(schedule)
            await db.flush()
            await db.refresh(schedule)
        return schedule

    async def get(self, reach: Reach, schedule_id: UUID) -> Schedule:
        """One schedule. Raises `NotFoundError`."""
        async with self._sessions() as db:
            return await self._get(db, reach, schedule_id)

    async def list_page(
        self, owner: Owner, wanted: ScheduleFilter, cursor: str | None, *, everybody: bool = False
    ) -> SchedulesFound:
        """One page, newest first; with `everybody` of the whole tenant. Raises `InvalidError` for a foreign cursor."""
        scope = f"{scope_of(wanted)}{'*' if everybody else ''}"
        reach = WholeTenant(owner.tenant_id) if everybody else owner
        before_id = None if cursor is None else self._cursors.read(owner.user_id, cursor, scope)
        page = replace(wanted, before_id=before_id, limit=wanted.limit + 1)
        async with self._sessions() as db:
            found = await self._schedules.list_page(db, reach, page)
        schedules, has_more = found[: wanted.limit], len(found) > wanted.limit
        return SchedulesFound(
            schedules, self._cursors.sign(owner.user_id, schedules[-1].id, scope) if has_more else None
        )

    async def update(self, caller: Caller, schedule_id: UUID, change: ScheduleUpdate) -> Schedule:
        """Change a schedule; slots that have fired stay as they are. Raises what `create` raises."""
        async with self._sessions.begin() as db:
            schedule = await self._get_own(db, caller, schedule_id)
            now = await self._schedules.now(db)
            columns = change.apply_to(ScheduleRead.of(schedule)).columns()
            keep_declared(schedule, columns)
            if columns["every"] is not None and (columns["every"], columns["starts_at"]) != (
                schedule.every,
                schedule.starts_at,
            ):
                schedule.anchor = columns["starts_at"] or now
            for name, value in columns.items():
                setattr(schedule, name, value)
            await self._check(db, schedule, now)
            if schedule.status in (ScheduleStatus.DISABLED, ScheduleStatus.ENDED):
                schedule.status, schedule.reason = str(ScheduleStatus.ACTIVE), None
            self._aim(schedule, now)
            await self._touch(db, schedule, now)
        return schedule

    async def pause(self, reach: Reach, schedule_id: UUID) -> Schedule:
        """Let it fire no more until it is resumed. Raises `ConflictError` when it does not fire anyway."""
        async with self._sessions.begin() as db:
            schedule = await self._get(db, reach, schedule_id, lock=True)
            if schedule.status not in (ScheduleStatus.ACTIVE, ScheduleStatus.PAUSED):
                is_how = "has ended" if schedule.status == ScheduleStatus.ENDED else "is disabled"
                raise ConflictError(f"schedule {schedule_id} {is_how}; it does not fire anyway")
            schedule.status, schedule.due_at, schedule.pending_slot = str(ScheduleStatus.PAUSED), None, None
            await self._touch(db, schedule, await self._schedules.now(db))
        return schedule

    async def resume(self, reach: Reach, schedule_id: UUID) -> Schedule:
        """Let it fire again, from its next slot on. Raises `ConflictError`, or `InvalidError` when it cannot fire."""
        async with self._sessions.begin() as db:
            schedule = await self._get(db, reach, schedule_id, lock=True)
            now = await self._schedules.now(db)
            if schedule.status in _RESUMABLE:
                await self._check(db, schedule, now)
                schedule.status, schedule.reason = str(ScheduleStatus.ACTIVE), None
                self._aim(schedule, now)
                await self._touch(db, schedule, now)
            elif schedule.status == ScheduleStatus.ENDED:
                raise ConflictError(f"schedule {schedule_id} has ended; change its times to start it again")
        return schedule

    async def delete(self, caller: Caller, schedule_id: UUID) -> None:
        """Remove a schedule and its history; its jobs stay. Raises `NotFoundError`."""
        async with self._sessions.begin() as db:
            await self._schedules.delete(db, await self._get_own(db, caller, schedule_id))

    async def preview(self, reach: Reach, schedule_id: UUID, count: int) -> tuple[Schedule, list[datetime]]:
        """The next slots, also of a paused schedule."""
        async with self._sessions() as db:
            schedule = await self._get(db, reach, schedule_id)
            now = await self._schedules.now(db)
        return schedule, _next_slots(schedule, now, count)

    async def preview_new(self, owner: Owner, wanted: ScheduleCreate, count: int) -> tuple[Schedule, list[datetime]]:
        """The next slots of a schedule that is not there yet. Raises what `create` raises."""
        async with self._sessions() as db:
            now = await self._schedules.now(db)
            schedule = Schedule(
                id=new_id(),
                tenant_id=owner.tenant_id,
                owner_id=owner.user_id,
                anchor=wanted.starts_at or now,
                **wanted.columns(),
            )
            await self._check(db, schedule, now)
        return schedule, _next_slots(schedule, now, count)

    async def backfill(
        self, caller: Caller, schedule_id: UUID, start: datetime, end: datetime
    ) -> list[tuple[Firing, Job]]:
        """Fire the past slots of a window that have not fired, at most MAX_BACKFILL.

        Raises `InvalidError` for a window that is empty, not past, or holds more.
        """
        async with self._sessions.begin() as db:
            schedule = await self._get_own(db, caller, schedule_id)
            now = await self._schedules.now(db)
            if not start < end <= now:
                raise InvalidError("start must be before end, and end not in the future", path=("body", "end"))
            limit = self._settings.max_backfill
            # A window may lie before the schedule was made.
            trigger = replace(trigger_of(schedule), starts_at=None)
            slots = trigger.between(start, end, limit=limit + 1)
            if len(slots) > limit:
                raise InvalidError(
                    f"MAX_BACKFILL allows {limit} slots at a time; choose a shorter window", path=("body", "start")
                )
            made = await self._fire(db, schedule, slots, now, "backfill")
        await self._announcer.announce_many([job for _, job in made])
        return made

    async def list_firings(
        self, reach: Reach, schedule_id: UUID, *, before: datetime | None, limit: int
    ) -> list[tuple[Firing, Job | None]]:
        """What its slots did, the newest first. Raises `NotFoundError`."""
        async with self._sessions() as db:
            schedule = await self._get(db, reach, schedule_id)
            return await self._schedules.list_firings(db, schedule, before=before, limit=limit)

    async def _get(self, db: AsyncSession, reach: Reach, schedule_id: UUID, *, lock: bool = False) -> Schedule:
        schedule = await self._schedules.find(db, schedule_id, reach, lock=lock)
        if schedule is None:
            raise NotFoundError(f"schedule {schedule_id} does not exist")
        return schedule

    async def _get_own(self, db: AsyncSession, caller: Caller, schedule_id: UUID) -> Schedule:
        """The caller's own schedule, locked. Raises `ForbiddenError` for one that they may only see and steer."""
        schedule = await self._get(db, caller.reach, schedule_id, lock=True)
        if schedule.owner_id != caller.owner.user_id:
            raise ForbiddenError("only its owner may change, delete or backfill a schedule")
        return schedule

    async def _touch(self, db: AsyncSession, schedule: Schedule, now: datetime) -> None:
        schedule.version += 1
        schedule.updated_at = now
        await db.flush()

    async def _fire(
        self, db: AsyncSession, schedule: Schedule, slots: Sequence[datetime], now: datetime, cause: str
    ) -> list[tuple[Firing, Job]]:
        planned = [self._planned(schedule, slot, now, cause) for slot in slots]
        jobs = {job.id: job for job in await self._firings.write(db, planned)}
        made = [(each.firing, jobs[each.job.id]) for each in planned if each.job is not None and each.job.id in jobs]
        return [(_row(firing, now), job) for firing, job in made]

    def _planned(self, schedule: Schedule, slot: datetime, now: datetime, cause: str) -> PlannedFiring:
        job = self._firings.build_job(schedule, slot, now)
        firing = NewFiring(
            schedule_id=schedule.id,
            slot=slot,
            cause=cause,
            outcome=str(FiringOutcome.FIRED),
            detail=None,
            job_id=job.id,
            lag=now - slot,
            version=schedule.version,
        )
        return PlannedFiring(schedule, firing, job)

    def _aim(self, schedule: Schedule, now: datetime) -> None:
        """Set the next slot: the first one that has not come yet, and after all that have fired by plan."""
        # A moment that has just passed, maybe on its way to us, means now.
        slot = trigger_of(schedule).next_after(
            now if schedule.run_at is None or schedule.last_slot else now - _JUST_NOW
        )
        if schedule.status == ScheduleStatus.ACTIVE and slot is None:
            raise InvalidError("it would never fire: no slot is left", path=("body",))
        schedule.next_slot = slot
        schedule.due_at = due_at(schedule, slot) if schedule.status == ScheduleStatus.ACTIVE else None


def _next_slots(schedule: Schedule, now: datetime, count: int) -> list[datetime]:
    return trigger_of(schedule).between(now, datetime.max.replace(tzinfo=now.tzinfo), limit=count)


def _row(firing: NewFiring, now: datetime) -> Firing:
    values: dict[str, Any] = {name: getattr(firing, name) for name in NewFiring.__dataclass_fields__}
    return Firing(**values, fired_at=now)
