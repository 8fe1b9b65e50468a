"""Removes what has had its time: ended jobs by the retention of their kinds, and what belongs to submits."""

from collections.abc import Mapping
from datetime import timedelta
from time import monotonic

from loguru import logger

from common.database.session import Sessions
from common.queue.catalog import Catalog
from common.repository.mail import MailRepository
from common.repository.retention import RetentionRepository
from common.repository.schedule import ScheduleRepository
from common.repository.usage import UsageRepository
from worker.config import WorkerSettings

_BATCH = 1000
_UNKNOWN_KIND = timedelta(days=30)


class Purger:
    """One bounded round at a time; a round that was full is followed by the next without a pause."""

    def __init__(
        self,
        sessions: Sessions,
        retention: RetentionRepository,
        mails: MailRepository,
        schedules: ScheduleRepository,
        usage: UsageRepository,
        catalog: Catalog,
        settings: WorkerSettings,
    ) -> None:
        self._sessions = sessions
        self._retention = retention
        self._mails = mails
        self._schedules = schedules
        self._usage = usage
        self._keep_usage = settings.usage_retention
        self._retentions: Mapping[str, timedelta] = {kind.name: kind.retention for kind in catalog.values()}
        self._keep_ids = settings.purged_id_retention
        self._keep_mails = settings.mail_retention
        self._keep_firings = settings.firing_retention
        self._interval = settings.purge_interval.total_seconds()
        self._next_round = 0.0

    async def tick(self) -> None:
        """Do a round when it is time. Raises what the database raises."""
        if monotonic() < self._next_round:
            return
        self._next_round = monotonic() + self._interval
        longest = max([_UNKNOWN_KIND, *self._retentions.values()])
        async with self._sessions.begin() as db:
            purged = await self._retention.purge_jobs(db, self._retentions, default=_UNKNOWN_KIND, limit=_BATCH)
        async with self._sessions.begin() as db:
            removed = [
                purged,
                await self._retention.purge_keys(db, limit=_BATCH),
                await self._retention.purge_slots(db, limit=_BATCH),
                await self._retention.purge_batches(db, longest, limit=_BATCH),
                await self._retention.forget_purged(db, self._keep_ids, limit=_BATCH),
                await self._retention.purge_accounts(db, limit=_BATCH),
                await self._mails.purge(db, self._keep_mails, limit=_BATCH),
                await self._schedules.purge_firings(db, self._keep_firings, limit=_BATCH),
                await self._usage.purge(db, self._keep_usage, limit=_BATCH),
            ]
        if purged:
            logger.info("Jobs were purged: count={}", purged)
        if max(removed) >= _BATCH:
            self._next_round = 0.0
