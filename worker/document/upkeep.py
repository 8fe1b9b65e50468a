"""The leader's look at what replaced and deleted documents have left behind: a job then removes it."""

import asyncio
from datetime import timedelta

from loguru import logger

from common.database.outage import DATABASE_ERRORS
from common.database.session import Sessions
from common.errors import AppError
from common.jobs.document_clean import DocumentCleanPayload, document_clean
from common.queue.client import JobQueue, SubmitOptions, Unique, UniqueMode
from common.repository.document_cleanup import DocumentCleanupRepository
from common.repository.job import Owner
from common.repository.user import DEFAULT_TENANT_ID, SERVICE_USER
from worker.leader import Leader

_OWNER = Owner(DEFAULT_TENANT_ID, SERVICE_USER.id)
_PASSING: tuple[type[Exception], ...] = (*DATABASE_ERRORS, AppError)
_ONE = SubmitOptions(unique=Unique(UniqueMode.WHILE_ACTIVE, key="clean"))


class DocumentUpkeep:
    """Looks every `interval`; what ended less than `age` ago stays, for searches that began before."""

    def __init__(
        self,
        sessions: Sessions,
        cleanup: DocumentCleanupRepository,
        queue: JobQueue,
        *,
        interval: timedelta,
        age: timedelta,
    ) -> None:
        self._sessions = sessions
        self._cleanup = cleanup
        self._queue = queue
        self._interval = interval.total_seconds()
        self._age = age

    async def run(self, leader: Leader) -> None:
        """Until cancelled. What goes wrong is tried again in the next round."""
        while True:
            await asyncio.sleep(self._interval)
            if not leader.is_leading:
                continue
            try:
                await self.tick()
            except _PASSING as error:
                logger.warning("Cannot look for what documents left behind: {}", type(error).__name__)

    async def tick(self) -> None:
        """Submit a job when there is something to remove."""
        async with self._sessions() as db:
            has_work = await self._cleanup.has_work(db, self._age)
        if has_work:
            await self._queue.submit(document_clean, DocumentCleanPayload(), owner=_OWNER, options=_ONE)
