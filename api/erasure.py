"""Removes what a user who is deleted leaves behind: threads with what was said, collections with their documents."""

from loguru import logger
from sqlalchemy.ext.asyncio import AsyncSession

from common.errors import AppError
from common.jobs.agent_clean import AgentCleanPayload, agent_clean
from common.queue.client import JobQueue, SubmitOptions, Unique, UniqueMode
from common.repository.collection import CollectionRepository
from common.repository.job import Owner
from common.repository.thread import ThreadRepository
from common.repository.user import DEFAULT_TENANT_ID, SERVICE_USER

_OWNER = Owner(DEFAULT_TENANT_ID, SERVICE_USER.id)
_ONE = SubmitOptions(unique=Unique(UniqueMode.WHILE_ACTIVE, key="clean"))


class Erasure:
    """Rows go in the caller's transaction; workers remove checkpoints, vectors and files soon after."""

    def __init__(self, threads: ThreadRepository, collections: CollectionRepository, queue: JobQueue) -> None:
        self._threads = threads
        self._collections = collections
        self._queue = queue

    async def erase(self, db: AsyncSession, owner: Owner) -> None:
        """Empty every thread and let nobody find the collections any more. Repeating it does no harm."""
        await self._threads.empty_all(db, owner)
        await self._collections.delete_all(db, owner)

    async def hurry(self) -> None:
        """Have checkpoints removed now; what cannot be submitted the schedule of the kind makes up for."""
        try:
            await self._queue.submit(agent_clean, AgentCleanPayload(expire=False), owner=_OWNER, options=_ONE)
        except AppError as error:
            logger.warning("Checkpoints of a former user stay for some minutes: error={}", error.code)
