"""Jobs without end: most succeed, some fail once, some are cancelled; what is refused is counted."""

import asyncio
from collections import Counter
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from common.database.model import Job
from common.database.outage import DATABASE_ERRORS
from common.errors import AppError
from tests.faults.bench.ground import Ground
from tests.faults.kinds.mark import MarkPayload, mark

REFUSALS: tuple[type[Exception], ...] = (*DATABASE_ERRORS, SQLAlchemyError, OSError, AppError)
_MOST_AT_ONCE = 200
_FAILS, _CANCELLED = 0.05, 0.05


class Stream:
    """Submits at a pace until it is stopped. `counts` holds what was accepted, refused and cancelled."""

    def __init__(self, ground: Ground, marks: Path, per_second: float) -> None:
        self._ground = ground
        self._marks = str(marks)
        self._pause = 1 / per_second
        self._submits: set[asyncio.Task[None]] = set()
        self.counts: Counter[str] = Counter()

    async def run(self) -> None:
        """Submit until cancelled. What is under way is waited for by `settle`."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due = max(due + self._pause, loop.time() - 1)
            await asyncio.sleep(due - loop.time())
            if len(self._submits) < _MOST_AT_ONCE:
                task = asyncio.create_task(self._submit())
                self._submits.add(task)
                task.add_done_callback(self._submits.discard)

    async def settle(self) -> None:
        """Wait for the answers that are still to come."""
        if self._submits:
            await asyncio.wait(self._submits)

    async def submit(self, seconds: float = 0.0, failures: int = 0) -> Job | None:
        """One job, or None when it was refused."""
        payload = MarkPayload(path=self._marks, seconds=seconds, failures=failures)
        try:
            job = await self._ground.producer.queue().submit(mark, payload, owner=self._ground.arena.owner)
        except REFUSALS:
            self.counts["refused"] += 1
            return None
        self.counts["accepted"] += 1
        self._ground.arena.accepted.append(job)
        return job

    async def _submit(self) -> None:
        chance = self._ground.chance
        job = await self.submit(chance.uniform(0, 0.3), failures=int(chance.random() < _FAILS))
        if job is not None and chance.random() < _CANCELLED:
            await asyncio.sleep(chance.uniform(0, 0.3))
            await self._cancel(job)

    async def _cancel(self, job: Job) -> None:
        try:
            await self._ground.producer.queue().cancel(job.id, self._ground.arena.owner)
        except REFUSALS:
            return  # it has ended, or the database is away
        self.counts["cancels answered"] += 1
