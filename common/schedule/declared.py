"""A schedule that a kind declares in code."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from common.schedule.cron import CronExpression
from common.schedule.trigger import Trigger, is_timezone


@dataclass(frozen=True, slots=True)
class KindSchedule:
    """When the system itself submits a job of this kind: by `cron` in `timezone`, or every `interval`.

    Raises `ValueError` when that cannot be computed. Missed slots fire once, a slot is skipped while the job of the one
    before has not ended.
    """

    cron: str | None = None
    interval: timedelta | None = None
    timezone: str = "UTC"
    payload: Mapping[str, Any] = field(default_factory=dict)
    jitter: timedelta = timedelta(0)

    def __post_init__(self) -> None:
        if (self.cron is None) == (self.interval is None):
            raise ValueError("a schedule has either cron or interval")
        if self.cron is not None:
            CronExpression(self.cron)
        if self.interval is not None and self.interval < timedelta(seconds=1):
            raise ValueError("an interval is at least a second")
        if not is_timezone(self.timezone):
            raise ValueError(f"{self.timezone!r} is no time zone")

    def trigger(self, anchor: datetime) -> Trigger:
        """When it fires."""
        return Trigger(
            cron=self.cron,
            interval=self.interval,
            timezone=self.timezone,
            anchor=anchor if self.interval is not None else None,
        )
