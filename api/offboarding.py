"""Stops the jobs and schedules of somebody who may run none: who was disabled, deleted or moved to another tenant."""

import asyncio
from datetime import timedelta
from typing import Self

from loguru import logger
from sqlalchemy.exc import SQLAlchemyError

from api.config import ApiSettings
from api.erasure import Erasure
from common.database.session import Sessions
from common.queue.bulk import BulkQueue
from common.repository.job import Owner
from common.repository.job_filter import JobFilter
from common.repository.schedule import ScheduleFilter, ScheduleRepository

_REASON = "its owner may not run jobs any more"
_MOST_SCHEDULES = 10_000
_MARGIN = timedelta(seconds=1)


class Offboarding:
    """`async with offboarding:` lets the second look of each `stop_jobs` happen, or cuts it short at the end."""

    def __init__(
        self,
        settings: ApiSettings,
        sessions: Sessions,
        schedules: ScheduleRepository,
        bulk: BulkQueue,
        erasure: Erasure,
    ) -> None:
        self.erase = erasure.erase
        self._hurry = erasure.hurry
        self._sessions = sessions
        self._schedules = schedules
        self._bulk = bulk
        self._delay = (settings.access_cache_lifetime + _MARGIN).total_seconds()
        self._later: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._later:
            task.cancel()
        if self._later:
            await asyncio.wait(self._later)

    async def stop_jobs(self, owner: Owner, *, is_erased: bool = False) -> None:
        """Disable schedules, cancel what waits or runs, and look again when no process can know the old token.

        With `is_erased` nothing of theirs may have come into being meanwhile.
        """
        await self._stop(owner)
        if is_erased:
            await self._hurry()
        task = asyncio.create_task(self._stop_later(owner, is_erased=is_erased), name="offboarding")
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    async def _stop(self, owner: Owner) -> None:
        async with self._sessions.begin() as db:
            found = await self._schedules.list_page(db, owner, ScheduleFilter(limit=_MOST_SCHEDULES))
            await self._schedules.disable(db, [schedule.id for schedule in found], _REASON)
        while (await self._bulk.cancel(owner, JobFilter(), reason=_REASON)).has_more:
            pass

    async def _stop_later(self, owner: Owner, *, is_erased: bool) -> None:
        await asyncio.sleep(self._delay)
        try:
            await self._stop(owner)
            if is_erased:
                async with self._sessions.begin() as db:
                    await self.erase(db, owner)
        except (SQLAlchemyError, OSError) as error:
            logger.warning("Jobs of a former user may be left", user_id=owner.user_id, error=type(error).__name__)
