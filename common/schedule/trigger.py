"""When a schedule fires: cron in a time zone, an interval, or once. The answers at clock changes are ours."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from itertools import pairwise
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

from common.schedule.cron import CronExpression

_TICK = timedelta(microseconds=1)
_SPANS = tuple(timedelta(seconds=seconds) for seconds in (60, 3600, 86_400, 32 * 86_400, 366 * 86_400, 3000 * 86_400))


@dataclass(frozen=True, slots=True)
class Trigger:
    """Exactly one of `cron`, `interval` and `run_at`. `anchor` is where intervals count from.

    A local time that a clock change leaves out fires at the change; one that it brings twice fires the first time.
    Cron with `*` as its hour follows elapsed time instead: nothing in the hour that is left out, twice in the other.
    """

    cron: str | None = None
    interval: timedelta | None = None
    run_at: datetime | None = None
    timezone: str = "UTC"
    anchor: datetime | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None

    def next_after(self, moment: datetime) -> datetime | None:
        """The first slot after `moment`, in UTC; None when there is none."""
        if self.starts_at is not None and moment < self.starts_at:
            moment = self.starts_at - _TICK
        slot = _next_slot(self, moment.astimezone(UTC))
        return None if slot is None or (self.ends_at is not None and slot > self.ends_at) else slot

    def last_until(self, moment: datetime, *, since: datetime) -> datetime | None:
        """The last slot at or before `moment` that is not before `since`."""
        for span in _SPANS:
            start = max(since, moment - span)
            slot = self.next_after(start - _TICK)
            if slot is not None and slot <= moment:
                while (following := self.next_after(slot)) is not None and following <= moment:
                    slot = following
                return slot
            if start == since:
                return None
        return None

    def between(self, start: datetime, end: datetime, *, limit: int) -> list[datetime]:
        """The slots from `start` until before `end`, at most `limit`."""
        slots: list[datetime] = []
        slot = self.next_after(start - _TICK)
        while slot is not None and slot < end and len(slots) < limit:
            slots.append(slot)
            slot = self.next_after(slot)
        return slots

    def shortest_gap(self, after: datetime, *, count: int = 60) -> timedelta | None:
        """The shortest time between neighbours of the next `count` slots; None with fewer than two."""
        if self.interval is not None:
            return self.interval
        slots = self.between(after, datetime.max.replace(tzinfo=UTC), limit=count)
        gaps = [later - earlier for earlier, later in pairwise(slots)]
        return min(gaps) if gaps else None


def is_timezone(name: str) -> bool:
    """Whether this is the name of an IANA time zone."""
    return name in _zone_names()


def jitter_of(schedule_id: UUID, slot: datetime, jitter: timedelta) -> timedelta:
    """How much later than its slot a firing starts: always the same for one slot, evenly spread below `jitter`."""
    if not jitter:
        return timedelta(0)
    seed = blake2b(schedule_id.bytes + slot.isoformat().encode(), digest_size=8).digest()
    return jitter * (int.from_bytes(seed) / 2**64)


@lru_cache(maxsize=1)
def _zone_names() -> frozenset[str]:
    return frozenset(available_timezones())


@lru_cache(maxsize=4096)
def _expression(cron: str) -> CronExpression:
    return CronExpression(cron)


# Many schedules share an expression, and all that are due share the moment.
@lru_cache(maxsize=16_384)
def _next_slot(trigger: Trigger, moment: datetime) -> datetime | None:
    if trigger.cron is not None:
        return _next_cron(_expression(trigger.cron), ZoneInfo(trigger.timezone), moment)
    if trigger.interval is not None:
        start = trigger.anchor or datetime(1970, 1, 1, tzinfo=UTC)
        steps = IntervalTrigger(seconds=trigger.interval.total_seconds(), start_date=start, timezone=UTC)
        return _later(steps.get_next_fire_time(None, moment + _TICK), moment, trigger.interval)
    found: datetime | None = DateTrigger(trigger.run_at, UTC).get_next_fire_time(None, moment)
    return None if found is None or found.astimezone(UTC) <= moment else found.astimezone(UTC)


def _later(slot: datetime | None, moment: datetime, interval: timedelta) -> datetime | None:
    """APScheduler counts intervals in floats, which may round onto `moment` itself."""
    if slot is None:
        return None
    slot = slot.astimezone(UTC)
    return slot if slot > moment else slot + interval


def _next_cron(expression: CronExpression, zone: ZoneInfo, moment: datetime) -> datetime | None:
    local = moment.astimezone(zone).replace(tzinfo=None)
    if expression.runs_every_hour:
        return _next_elapsed(expression, zone, moment, local)
    wall = expression.next_wall(local)
    while wall is not None:
        if (slot := _instant_of(wall, zone)) > moment:
            return slot
        wall = expression.next_wall(wall)
    return None


def _next_elapsed(expression: CronExpression, zone: ZoneInfo, moment: datetime, local: datetime) -> datetime | None:
    wall = expression.next_wall(local)
    if wall is None:
        return None
    slot = moment + (wall - local)
    if slot.astimezone(zone).utcoffset() == moment.astimezone(zone).utcoffset():
        return slot
    change = _change_between(zone, moment, slot)
    if slot < change:
        return slot
    wall = expression.next_wall(change.astimezone(zone).replace(tzinfo=None), inclusive=True)
    return None if wall is None else _instant_of(wall, zone, not_before=change)


def _instant_of(wall: datetime, zone: ZoneInfo, *, not_before: datetime | None = None) -> datetime:
    """The instant of a wall-clock time: the first of two, and the change itself for one that is left out."""
    first = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    second = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    if first.astimezone(zone).replace(tzinfo=None) != wall:
        return _change_between(zone, second, first)
    return second if not_before is not None and first < not_before else first


def _change_between(zone: ZoneInfo, start: datetime, end: datetime) -> datetime:
    """The moment between two of different offsets at which the first change comes, exact to the second."""
    offset = start.astimezone(zone).utcoffset()
    while end - start > timedelta(seconds=1):
        middle = start + (end - start) / 2
        if middle.astimezone(zone).utcoffset() == offset:
            start = middle
        else:
            end = middle
    return end.replace(microsecond=0)
