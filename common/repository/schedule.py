"""Queries about schedules and firings. A firing, its job and the schedule's next slot are one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Integer, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import INTERVAL, insert
from sqlalchemy.orm import defer

from common.database.model import Firing, Job, Schedule, ScheduleStatus
from common.repository.job import Owner
from common.repository.reach import Reach, within
from common.repository.sql import INTERVALS, INTS, TEXTS, TIMES, UUIDS, AnyExecutor, Executor, execute, fetch, statement


@dataclass(frozen=True, slots=True)
class ScheduleFilter:
    """Which schedules to list, and where to go on."""

    status: ScheduleStatus | None = None
    before_id: UUID | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class NewFiring:
    """A slot that is settled now."""

    schedule_id: UUID
    slot: datetime
    cause: str
    outcome: str
    detail: str | None
    job_id: UUID | None
    lag: timedelta
    version: int


@dataclass(frozen=True, slots=True)
class ScheduleMove:
    """What a schedule's row says after its due slots were settled. None keeps `last_slot` and `last_job_id`."""

    id: UUID
    next_slot: datetime | None
    due_at: datetime | None
    pending_slot: datetime | None
    last_slot: datetime | None
    last_job_id: UUID | None


# Rows of others are skipped: ten schedulers share the work, and the key of firings would stop a second one anyway.
def due_sql(limit: str = ":limit") -> str:
    """What every tick asks. `limit` is how the statement names its parameter."""
    return f"""
        SELECT due.id, clock_timestamp() AS now,
               EXISTS (SELECT FROM jobs WHERE jobs.id = due.last_job_id AND jobs.finished_at IS NULL) AS is_last_active
        FROM (SELECT id, last_job_id FROM schedules
              WHERE status = 'active' AND due_at <= statement_timestamp()
              ORDER BY due_at LIMIT {limit} FOR UPDATE SKIP LOCKED) AS due
    """


_DUE = statement(due_sql(), limit=Integer())
_PENDING = statement(
    """
    SELECT id, clock_timestamp() AS now, false AS is_last_active FROM schedules
    WHERE pending_slot IS NOT NULL AND status <> 'disabled'
      AND NOT EXISTS (SELECT FROM jobs WHERE jobs.id = schedules.last_job_id AND jobs.finished_at IS NULL)
    ORDER BY id LIMIT :limit FOR UPDATE SKIP LOCKED
    """,
    limit=Integer(),
)
_ADD_FIRINGS = statement(
    """
    INSERT INTO firings (schedule_id, slot, cause, outcome, detail, job_id, lag, version, fired_at)
    SELECT v.*, clock_timestamp()
    FROM unnest(:schedules, :slots, :causes, :outcomes, :details, :jobs, :lags, :versions)
         AS v(schedule_id, slot, cause, outcome, detail, job_id, lag, version)
    ON CONFLICT DO NOTHING
    RETURNING schedule_id, slot
    """,
    schedules=UUIDS,
    slots=TIMES,
    causes=TEXTS,
    outcomes=TEXTS,
    details=TEXTS,
    jobs=UUIDS,
    lags=INTERVALS,
    versions=INTS,
)
_MOVE = statement(
    """
    UPDATE schedules SET next_slot = v.next_slot, due_at = v.due_at, pending_slot = v.pending_slot,
                         last_slot = coalesce(v.last_slot, schedules.last_slot),
                         last_job_id = coalesce(v.last_job_id, schedules.last_job_id),
                         status = CASE WHEN status = 'active' AND v.next_slot IS NULL THEN 'ended' ELSE status END
    FROM unnest(:ids, :next_slots, :due_ats, :pending_slots, :last_slots, :last_jobs)
         AS v(id, next_slot, due_at, pending_slot, last_slot, last_job_id)
    WHERE schedules.id = v.id
    """,
    ids=UUIDS,
    next_slots=TIMES,
    due_ats=TIMES,
    pending_slots=TIMES,
    last_slots=TIMES,
    last_jobs=UUIDS,
)
_RELEASE_BUFFERED = statement(
    """
    UPDATE firings SET outcome = 'fired', detail = NULL, job_id = v.job_id, fired_at = clock_timestamp(), lag = v.lag
    FROM unnest(:schedules, :slots, :jobs, :lags) AS v(schedule_id, slot, job_id, lag)
    WHERE firings.schedule_id = v.schedule_id AND firings.slot = v.slot AND firings.outcome = 'buffered'
    """,
    schedules=UUIDS,
    slots=TIMES,
    jobs=UUIDS,
    lags=INTERVALS,
)
_PURGE_FIRINGS = statement(
    """
    DELETE FROM firings USING (
        SELECT schedule_id AS of_schedule, slot AS at_slot FROM firings
        WHERE fired_at < now() - :retention ORDER BY fired_at LIMIT :limit FOR UPDATE SKIP LOCKED
    ) AS old
    WHERE schedule_id = old.of_schedule AND slot = old.at_slot
    """,
    retention=INTERVAL(),
    limit=Integer(),
)
_LOOK = statement(
    """
    SELECT EXISTS (SELECT FROM schedules WHERE status = 'active' AND due_at <= statement_timestamp()),
           EXISTS (SELECT FROM schedules WHERE pending_slot IS NOT NULL AND status <> 'disabled'),
           EXISTS (SELECT FROM job_notices)
    """
)
_LOCK_OWNER = statement("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))")


@dataclass(frozen=True, slots=True)
class DueSchedule:
    """A schedule, locked until the transaction ends; the database's time; whether its last job still runs."""

    schedule: Schedule
    now: datetime
    is_last_active: bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """What there may be to do: schedules to fire, buffered slots, mails about ends."""

    due: bool
    pending: bool
    notices: bool


class ScheduleRepository:
    """Schedules, from the scheduler's side and from their owners'."""

    async def look(self, db: AnyExecutor) -> Wanted:
        """What there may be to do, in one cheap statement."""
        [row] = await fetch(db, _LOOK, {})
        return Wanted(*row)

    async def lock_due(self, db: Executor, *, limit: int) -> list[DueSchedule]:
        """Active schedules whose time has come, the latest first of all."""
        return await self._lock(db, _DUE, limit)

    async def lock_pending(self, db: Executor, *, limit: int) -> list[DueSchedule]:
        """Schedules with a buffered slot whose last job has ended."""
        return await self._lock(db, _PENDING, limit)

    async def add_firings(self, db: Executor, firings: Sequence[NewFiring]) -> set[tuple[UUID, datetime]]:
        """Write what slots did; the answer names those that nobody had settled before."""
        values = {
            "schedules": [each.schedule_id for each in firings],
            "slots": [each.slot for each in firings],
            "causes": [each.cause for each in firings],
            "outcomes": [each.outcome for each in firings],
            "details": [each.detail for each in firings],
            "jobs": [each.job_id for each in firings],
            "lags": [each.lag for each in firings],
            "versions": [each.version for each in firings],
        }
        return {(row.schedule_id, row.slot) for row in await execute(db, _ADD_FIRINGS, values)}

    async def release_buffered(self, db: Executor, firings: Sequence[NewFiring]) -> None:
        """Turn buffered slots into fired ones."""
        values = {
            "schedules": [each.schedule_id for each in firings],
            "slots": [each.slot for each in firings],
            "jobs": [each.job_id for each in firings],
            "lags": [each.lag for each in firings],
        }
        await execute(db, _RELEASE_BUFFERED, values)

    async def move(self, db: Executor, moves: Sequence[ScheduleMove]) -> None:
        """Set what comes next; a schedule without another slot has ended."""
        values = {
            "ids": [each.id for each in moves],
            "next_slots": [each.next_slot for each in moves],
            "due_ats": [each.due_at for each in moves],
            "pending_slots": [each.pending_slot for each in moves],
            "last_slots": [each.last_slot for each in moves],
            "last_jobs": [each.last_job_id for each in moves],
        }
        await execute(db, _MOVE, values)

    async def insert(self, db: Executor, values: Mapping[str, Any]) -> None:
        """Add a schedule."""
        await db.execute(insert(Schedule).values(dict(values)))

    async def disable(self, db: Executor, schedule_ids: Sequence[UUID], reason: str) -> None:
        """Let these fire no more, and say why."""
        values = {"status": str(ScheduleStatus.DISABLED), "reason": reason, "due_at": None}
        query = update(Schedule).where(Schedule.id.in_(schedule_ids))
        await db.execute(query.values(**values, updated_at=func.now()))

    async def count(self, db: Executor, owner: Owner) -> int:
        """How many schedules the owner has, others of the owner's transactions waiting meanwhile."""
        await execute(db, _LOCK_OWNER, {"key": f"schedules:{owner.user_id}"})
        query = select(func.count()).select_from(Schedule)
        query = query.where(Schedule.tenant_id == owner.tenant_id, Schedule.owner_id == owner.user_id)
        return int((await db.execute(query)).scalar_one())

    async def find(self, db: Executor, schedule_id: UUID, reach: Reach, *, lock: bool = False) -> Schedule | None:
        """The schedule, if it is within reach."""
        query = select(Schedule).where(Schedule.id == schedule_id, *within(Schedule, reach))
        if lock:
            query = query.with_for_update().execution_options(populate_existing=True)
        return (await db.execute(query)).scalar_one_or_none()

    async def list_page(self, db: Executor, reach: Reach, wanted: ScheduleFilter) -> list[Schedule]:
        """One page of the schedules within reach, newest first."""
        query = select(Schedule).where(*within(Schedule, reach))
        if wanted.status is not None:
            query = query.where(Schedule.status == str(wanted.status))
        if wanted.before_id is not None:
            query = query.where(Schedule.id < wanted.before_id)
        return list((await db.execute(query.order_by(Schedule.id.desc()).limit(wanted.limit))).scalars())

    async def delete(self, db: Executor, schedule: Schedule) -> None:
        """Remove a schedule and its firings; its jobs stay."""
        await db.execute(delete(Schedule).where(Schedule.id == schedule.id))

    async def list_firings(
        self, db: Executor, schedule: Schedule, *, before: datetime | None, limit: int
    ) -> list[tuple[Firing, Job | None]]:
        """Firings of a schedule whose owner was checked, the newest slot first, with their jobs."""
        query = (
            select(Firing, Job)
            .outerjoin(Job, (Job.id == Firing.job_id) & (Job.owner_id == schedule.owner_id))
            .options(defer(Job.payload, raiseload=True), defer(Job.result, raiseload=True))
            .where(Firing.schedule_id == schedule.id)
            .order_by(Firing.slot.desc())
            .limit(limit)
        )
        if before is not None:
            query = query.where(Firing.slot < before)
        return [(firing, job) for firing, job in await db.execute(query)]

    async def purge_firings(self, db: Executor, retention: timedelta, *, limit: int) -> int:
        """Remove the record of firings that were long ago; how many."""
        return (await execute(db, _PURGE_FIRINGS, {"retention": retention, "limit": limit})).rowcount

    async def now(self, db: Executor) -> datetime:
        """The database's time."""
        found: datetime = (await db.execute(text("SELECT clock_timestamp()"))).scalar_one()
        return found

    async def _lock(self, db: Executor, clause: Any, limit: int) -> list[DueSchedule]:
        rows = {row.id: row for row in await execute(db, clause, {"limit": limit})}
        if not rows:
            return []
        # Plain rows, which read like the model: thousands of mapped objects a second would cost more than their jobs.
        found: Any = await db.execute(select(*Schedule.__table__.columns).where(Schedule.id.in_(rows)))
        return [DueSchedule(each, rows[each.id].now, rows[each.id].is_last_active) for each in found]
