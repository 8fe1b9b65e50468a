"""Schedules that kinds declare in code: written when a worker begins to lead, disabled when nobody declares them."""

from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from loguru import logger

from common.database.model import CatchUp, Overlap, ScheduleStatus
from common.database.session import Sessions
from common.queue.catalog import Catalog
from common.queue.definition import AnyJobKind
from common.repository.schedule import ScheduleRepository
from common.repository.system_schedule import SystemScheduleRepository
from common.repository.user import DEFAULT_TENANT_ID, SERVICE_USER
from common.schedule.declared import KindSchedule
from common.schedule.trigger import jitter_of

_AGAIN_AFTER = 300.0
_GONE_AFTER = timedelta(minutes=15)
_WINDOW = timedelta(days=1)
_ANCHOR = datetime(2026, 1, 1, tzinfo=UTC)


class SystemSchedules:
    """Makes the table agree with the catalogue, at the start and every five minutes."""

    def __init__(
        self, sessions: Sessions, schedules: ScheduleRepository, system: SystemScheduleRepository, catalog: Catalog
    ) -> None:
        self._sessions = sessions
        self._schedules = schedules
        self._system = system
        self._declared = {kind.name: (kind, kind.schedule) for kind in catalog.values() if kind.schedule is not None}
        self._next = 0.0

    async def sync(self) -> None:
        """Write what is declared. Raises what the database raises."""
        if monotonic() < self._next:
            return
        async with self._sessions.begin() as db:
            now = await self._schedules.now(db)
            for kind, schedule in self._declared.values():
                await self._system.upsert(db, _row(kind, schedule, now))
            # While a deploy is under way, workers of the other release keep theirs alive.
            gone = await self._system.disable_undeclared(
                db, list(self._declared), now - _GONE_AFTER, "its kind declares no schedule any more"
            )
        if gone:
            logger.warning("Schedules are declared no more: kinds={}", ", ".join(sorted(gone)))
        self._next = monotonic() + _AGAIN_AFTER


def _row(kind: AnyJobKind, schedule: KindSchedule, now: datetime) -> dict[str, Any]:
    schedule_id = uuid5(NAMESPACE_URL, f"letuin:schedule:{kind.name}")
    slot = schedule.trigger(_ANCHOR).next_after(now)
    return {
        "id": schedule_id,
        "tenant_id": DEFAULT_TENANT_ID,
        "owner_id": SERVICE_USER.id,
        "name": kind.name,
        "system_key": kind.name,
        "kind": kind.name,
        "payload": dict(schedule.payload),
        "options": {},
        "cron": schedule.cron,
        "every": schedule.interval,
        "anchor": _ANCHOR,
        "timezone": schedule.timezone,
        "jitter": schedule.jitter,
        "overlap": str(Overlap.SKIP),
        "catch_up": str(CatchUp.FIRE_ONCE),
        "catch_up_window": _WINDOW,
        "status": str(ScheduleStatus.ACTIVE),
        "next_slot": slot,
        "due_at": None if slot is None else slot + jitter_of(schedule_id, slot, schedule.jitter),
    }
