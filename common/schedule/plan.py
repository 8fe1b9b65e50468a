"""What a schedule that is due does now: which slots fire, and what its row says afterwards. No clock, no database."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import takewhile

from common.database.model import CatchUp, FiringOutcome, Overlap, Schedule
from common.schedule.trigger import Trigger, jitter_of

_MOST_AT_ONCE = 100
_MISSED = "missed: nothing could fire at its time"


@dataclass(frozen=True, slots=True)
class SlotPlan:
    """One slot: what it does, and how late it is."""

    slot: datetime
    outcome: FiringOutcome
    cause: str
    lag: timedelta
    detail: str | None = None
    cancels_last: bool = False


@dataclass(frozen=True, slots=True)
class SchedulePlan:
    """The slots of one schedule that are due, and the slot that comes after them."""

    slots: tuple[SlotPlan, ...]
    next_slot: datetime | None
    pending_slot: datetime | None


def trigger_of(schedule: Schedule) -> Trigger:
    """When the schedule fires."""
    return Trigger(
        cron=schedule.cron,
        interval=schedule.every,
        run_at=schedule.run_at,
        timezone=schedule.timezone,
        anchor=schedule.anchor if schedule.every is not None else None,
        starts_at=schedule.starts_at,
        ends_at=schedule.ends_at,
    )


def due_at(schedule: Schedule, slot: datetime | None) -> datetime | None:
    """When a slot of this schedule starts: its time and its jitter."""
    return None if slot is None else slot + jitter_of(schedule.id, slot, schedule.jitter)


def plan_due(schedule: Schedule, now: datetime, *, is_last_active: bool, grace: timedelta) -> SchedulePlan:
    """What to do with the slots up to `now`; those later than `grace` are missed and follow the catch-up policy."""
    trigger = trigger_of(schedule)
    slots = _due_slots(schedule, trigger, now)
    if not slots:
        return SchedulePlan((), schedule.next_slot, schedule.pending_slot)
    plans: list[SlotPlan] = []
    pending, is_active = schedule.pending_slot, is_last_active
    for plan in _settle(schedule, slots, now, grace):
        if plan.outcome is FiringOutcome.FIRED:
            plan = _with_overlap(schedule, plan, is_active=is_active, is_pending=pending is not None)
            pending = plan.slot if plan.outcome is FiringOutcome.BUFFERED else pending
            is_active = is_active or plan.outcome is FiringOutcome.FIRED
        plans.append(plan)
    return SchedulePlan(tuple(plans), trigger.next_after(slots[-1]), pending)


def _due_slots(schedule: Schedule, trigger: Trigger, now: datetime) -> list[datetime]:
    """The next slots that have come, in order; after a long pause those that the catch-up policy looks at."""
    first = schedule.next_slot
    if first is None:
        return []
    slots = trigger.between(first, now + timedelta(microseconds=1), limit=_MOST_AT_ONCE + 1)
    if len(slots) > _MOST_AT_ONCE and schedule.catch_up == CatchUp.FIRE_ALL:
        since = max(first, now - schedule.catch_up_window)
        slots = trigger.between(since, now, limit=_MOST_AT_ONCE)
        slots = slots if since == first else [first, *slots]
    elif len(slots) > _MOST_AT_ONCE:
        slots = [trigger.last_until(now - schedule.jitter, since=first) or first]
    return list(takewhile(lambda slot: slot + jitter_of(schedule.id, slot, schedule.jitter) <= now, slots))


def _settle(schedule: Schedule, slots: list[datetime], now: datetime, grace: timedelta) -> list[SlotPlan]:
    """On time: fire. Missed: as the catch-up policy says; of those that it drops the last one is recorded."""
    plans = [_plan(schedule, slot, now, "schedule") for slot in slots]
    missed = [plan for plan in plans if plan.lag > grace]
    on_time = plans[len(missed) :]
    recent = [plan for plan in missed if plan.slot >= now - schedule.catch_up_window]
    match schedule.catch_up:
        case CatchUp.FIRE_ALL:
            kept = recent
        case CatchUp.FIRE_ONCE:
            kept = [] if on_time else recent[-1:]
        case _:
            kept = []
    dropped = [plan for plan in missed if plan not in kept][-1:]
    settled = [replace(plan, outcome=FiringOutcome.SKIPPED, cause="catch_up", detail=_MISSED) for plan in dropped]
    return settled + [replace(plan, cause="catch_up") for plan in kept] + on_time


def _plan(schedule: Schedule, slot: datetime, now: datetime, cause: str) -> SlotPlan:
    lag = now - slot - jitter_of(schedule.id, slot, schedule.jitter)
    return SlotPlan(slot, FiringOutcome.FIRED, cause, max(lag, timedelta(0)))


def _with_overlap(schedule: Schedule, plan: SlotPlan, *, is_active: bool, is_pending: bool) -> SlotPlan:
    if not is_active:
        return plan
    match schedule.overlap:
        case Overlap.ALLOW:
            return plan
        case Overlap.CANCEL_OTHER:
            return replace(plan, cancels_last=True)
        case Overlap.BUFFER_ONE if not is_pending:
            return replace(plan, outcome=FiringOutcome.BUFFERED, detail="waits for the end of the job before")
    return replace(plan, outcome=FiringOutcome.SKIPPED, detail="the job before has not ended")
