"""Whether a schedule can be used: its kind, its times, its payload and what that names."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from api.config import ApiSettings
from api.references import References
from common.database.model import Schedule
from common.errors import InvalidError, UnknownKindError
from common.queue.catalog import Catalog
from common.queue.firings import FiringWriter
from common.repository.job import Owner
from common.schedule.plan import trigger_of


class ScheduleCheck:
    """What `POST`, `PATCH`, `resume` and `preview` refuse; what vanishes later fails the jobs of the slots."""

    def __init__(self, settings: ApiSettings, catalog: Catalog, firings: FiringWriter, references: References) -> None:
        self._least = settings.schedule_min_interval
        self._catalog = catalog
        self._firings = firings
        self._references = references

    async def check(self, db: AsyncSession, schedule: Schedule, now: datetime) -> None:
        """Raises `UnknownKindError`, and `InvalidError` that names the field."""
        kind = self._catalog.get(schedule.kind)
        if kind is None or (kind.internal and schedule.system_key is None):
            raise UnknownKindError(
                f"unknown job kind {schedule.kind[:100]!r}; known kinds: "
                + ", ".join(each.name for each in self._catalog.public())
            )
        shortest = trigger_of(schedule).shortest_gap(now)
        if shortest is not None and shortest < self._least:
            field = "interval" if schedule.every is not None else "cron"
            seconds = self._least.total_seconds()
            raise InvalidError(f"SCHEDULE_MIN_INTERVAL allows a slot every {seconds:g} s", path=("body", field))
        self._try_payload(schedule, now)
        payload = self._firings.build_payload(schedule, now, now)
        await self._references.check_in(db, payload, Owner(schedule.tenant_id, schedule.owner_id))

    def _try_payload(self, schedule: Schedule, now: datetime) -> None:
        """The payload must fit with its places filled, at the first slot and at a later one."""
        last = schedule.last_slot
        try:
            for each in (None, now - timedelta(days=1)):
                schedule.last_slot = each
                self._firings.build_job(schedule, now, now)
        except InvalidError as error:
            raise InvalidError(error.message, path=("body", "payload")) from error
        finally:
            schedule.last_slot = last


def keep_declared(schedule: Schedule, columns: Mapping[str, Any]) -> None:
    """Raises `InvalidError` for another kind or payload of a schedule that the system has declared."""
    for name in ("kind", "payload"):
        if schedule.system_key is not None and columns[name] != getattr(schedule, name):
            raise InvalidError(f"the {name} of a schedule of the system cannot be changed", path=("body", name))
