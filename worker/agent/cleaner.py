"""Removes what flows remember of threads and runs that are over."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import batched
from uuid import UUID

from loguru import logger

from common.agents import AgentsCleaned
from common.database.session import Sessions
from common.repository.thread_cleanup import ThreadCleanupRepository
from worker.agent.flows import Flows, flow_names

RUN = "job:"
"""How the names of runs without a thread begin, in the stores of checkpoints."""
_BATCH = 500


class AgentCleaner:
    """Empties threads that nobody touched for `retention` (0: none), then compares the stores with PostgreSQL."""

    def __init__(
        self, flows: Flows, sessions: Sessions, threads: ThreadCleanupRepository, *, retention: timedelta
    ) -> None:
        self._flows = flows
        self._sessions = sessions
        self._threads = threads
        self._retention = retention

    async def clean(self, *, expire: bool) -> AgentsCleaned:
        """See `Agents.clean`."""
        expired = await self._expire() if expire and self._retention else 0
        runs = threads = 0
        for name in flow_names():
            store = (await self._flows.get(name)).store
            for names in batched(await store.list_threads(), _BATCH):
                for gone in await self._find_gone(names):
                    is_run = gone.startswith(RUN)
                    await store.forget(gone, is_final=not is_run)
                    runs, threads = runs + is_run, threads + (not is_run)
        if expired or runs or threads:
            logger.info("Agents forgot: expired={} threads={} runs={}", expired, threads, runs)
        return AgentsCleaned(expired=expired, threads=threads, runs=runs)

    async def _expire(self) -> int:
        total = 0
        while True:
            async with self._sessions.begin() as db:
                count = await self._threads.expire(db, self._retention, limit=_BATCH)
            total += count
            if count < _BATCH:
                return total

    async def _find_gone(self, names: Sequence[str]) -> list[str]:
        runs = [UUID(name.removeprefix(RUN)) for name in names if name.startswith(RUN)]
        threads = [UUID(name) for name in names if not name.startswith(RUN)]
        async with self._sessions() as db:
            live = {f"{RUN}{each}" for each in await self._threads.find_live_jobs(db, runs)}
            live |= {str(each) for each in await self._threads.find_live_threads(db, threads)}
        return [name for name in names if name not in live]
