"""Cron expressions: five fields or an alias, checked and made into APScheduler's triggers over wall-clock time."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from apscheduler.triggers.cron import CronTrigger

_ALIASES: Mapping[str, str] = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_LONGEST_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_LONGEST_TEXT = 200
_ITEM = re.compile(r"(?:(?P<star>\*)|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>\d{1,3}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    low: int
    high: int
    words: tuple[str, ...] = ()

    def parse(self, text: str) -> frozenset[int]:
        """The numbers that a field means. Raises `ValueError`."""
        found: set[int] = set()
        for item in text.split(","):
            match = _ITEM.fullmatch(item)
            if match is None or len(item) > 20:
                raise ValueError(f"{self.name} {item[:20]!r} is not understood")
            first = self.low if match["star"] else self._number(match["first"])
            has_end = match["star"] or match["last"] or match["step"]
            last = self._number(match["last"]) if match["last"] else (self.high if has_end else first)
            step = int(match["step"]) if match["step"] else 1
            if step < 1 or first > last:
                raise ValueError(f"{self.name} {item!r} names nothing")
            found.update(range(first, last + 1, step))
        return frozenset(found)

    def _number(self, text: str) -> int:
        if text.lower() in self.words:
            return self.words.index(text.lower()) + self.low
        number = int(text) if text.isascii() and text.isdecimal() else -1
        if not self.low <= number <= self.high:
            raise ValueError(f"{self.name} {text[:20]!r} is not between {self.low} and {self.high}")
        return number


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of month", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of week", 0, 7, _DAYS),
)


class CronExpression:
    """Five fields: minute, hour, day of month, month, day of week (0 and 7 are Sunday).

    As in every cron, a day fires when either of its two fields names it, if both are restricted. Raises `ValueError`.
    """

    def __init__(self, text: str) -> None:
        if len(text) > _LONGEST_TEXT:
            raise ValueError(f"is longer than {_LONGEST_TEXT} characters")
        plain = _ALIASES.get(text.strip().lower(), text)
        if plain.strip().startswith("@"):
            raise ValueError(f"{text.strip()[:20]!r} is no alias; known are {', '.join(_ALIASES)}")
        parts = plain.split()
        if len(parts) != len(_FIELDS):
            raise ValueError("must have five fields: minute, hour, day of month, month, day of week")
        minutes, hours, days, months, weekdays = (field.parse(part) for field, part in zip(_FIELDS, parts, strict=True))
        self.runs_every_hour = parts[1] == "*"
        any_day, any_weekday = parts[2].startswith("*"), parts[4].startswith("*")
        if any_weekday and not any(day <= _LONGEST_MONTH[month - 1] for month in months for day in days):
            raise ValueError("names a day that never comes")
        names = ",".join(sorted({_DAYS[number % 7] for number in weekdays}))
        choices = [(_join(days), "*"), ("*", names)] if not any_day and not any_weekday else [(_join(days), names)]
        self._triggers = [
            CronTrigger(
                minute=_join(minutes),
                hour=_join(hours),
                day=day,
                month=_join(months),
                day_of_week=weekday,
                timezone=UTC,
            )
            for day, weekday in choices
        ]

    def next_wall(self, after: datetime, *, inclusive: bool = False) -> datetime | None:
        """The first naive wall-clock time after `after` (or at it) that the expression names."""
        start = after.replace(tzinfo=UTC) + (timedelta(0) if inclusive else timedelta(microseconds=1))
        found = [trigger.get_next_fire_time(None, start) for trigger in self._triggers]
        times = [time.replace(tzinfo=None) for time in found if time is not None]
        return min(times) if times else None


def _join(numbers: frozenset[int]) -> str:
    return ",".join(str(number) for number in sorted(numbers))
