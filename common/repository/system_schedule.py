"""Queries about the schedules that kinds declare."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, or_, update
from sqlalchemy.dialects.postgresql import insert

from common.database.model import Schedule, ScheduleStatus
from common.repository.sql import Executor


class SystemScheduleRepository:
    """Schedules of the system: `system_key` is the kind that declares one."""

    async def upsert(self, db: Executor, values: Mapping[str, Any]) -> None:
        """Add or change the schedule that a kind declares; one that is as declared stays untouched."""
        told = {
            name: value
            for name, value in values.items()
            if name in ("payload", "cron", "every", "timezone", "jitter", "overlap", "catch_up", "catch_up_window")
        }
        query = insert(Schedule).values(dict(values))
        changed = [getattr(Schedule, name).is_distinct_from(value) for name, value in told.items()]
        is_changed = or_(Schedule.status == str(ScheduleStatus.DISABLED), *changed)
        again = {name: values[name] for name in ("next_slot", "due_at")}
        await db.execute(
            query.on_conflict_do_update(
                # Made of the key; another index would let two leaders meet at this one first, and one of them fail.
                index_elements=[Schedule.id],
                set_={
                    **told,
                    **again,
                    "status": str(ScheduleStatus.ACTIVE),
                    "reason": None,
                    "version": Schedule.version + 1,
                },
                where=is_changed,
            )
        )

    async def disable_undeclared(
        self, db: Executor, declared: Sequence[str], before: datetime, reason: str
    ) -> set[str]:
        """Note that these kinds declare theirs; disable those that nobody has declared since `before`."""
        await db.execute(update(Schedule).where(Schedule.system_key.in_(declared)).values(updated_at=func.now()))
        query = update(Schedule).where(
            Schedule.system_key.is_not(None),
            Schedule.updated_at < before,
            Schedule.status != str(ScheduleStatus.DISABLED),
        )
        values = {"status": str(ScheduleStatus.DISABLED), "reason": reason, "due_at": None}
        found = (await db.execute(query.values(**values).returning(Schedule.system_key))).scalars()
        return {key for key in found if key is not None}
