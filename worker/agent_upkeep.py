"""Each host's look at its own file of checkpoints: a job would clean only the host that it happens to run on."""

import asyncio
import sqlite3
from random import uniform

from loguru import logger

from common.database.outage import DATABASE_ERRORS
from common.errors import AppError
from common.queue.definition import QueueName
from worker.config import CheckpointBackend, WorkerSettings
from worker.lazy_agents import LazyAgents

_PASSING: tuple[type[Exception], ...] = (*DATABASE_ERRORS, AppError, sqlite3.Error, OSError)


class AgentUpkeep:
    """Cleans every AGENT_CLEANUP_INTERVAL, in workers that serve agents and keep checkpoints in a file."""

    def __init__(self, settings: WorkerSettings, agents: LazyAgents) -> None:
        has_file = settings.agent_checkpoints is CheckpointBackend.SQLITE
        self._is_wanted = has_file and QueueName.AGENT in settings.worker_queues
        self._folder = settings.data_dir / "sqlite-data"
        self._interval = settings.agent_cleanup_interval.total_seconds()
        self._agents = agents

    async def run(self) -> None:
        """Until cancelled. What goes wrong is tried again in the next round."""
        while self._is_wanted:
            # Processes that were started together do not come together.
            await asyncio.sleep(self._interval * uniform(0.5, 1))
            try:
                await self.tick()
            except _PASSING as error:
                logger.warning("Cannot clean the checkpoints of this host: {}", type(error).__name__)

    async def tick(self) -> None:
        """Remove what threads and runs that are over have left here. Where no agent ever ran nothing is loaded."""
        if self._folder.is_dir():
            await (await self._agents.get()).clean(expire=False)
