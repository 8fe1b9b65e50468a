"""Schedules whose slots lie where a test wants them, and schedulers that tick when a test says so."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from common.config import CommonSettings
from common.container import CommonContainer
from common.database.model import Firing, Job, Schedule
from common.ids import new_id
from common.repository.job import Owner
from tests.fixtures.workers import worker_settings
from worker.container import WorkerContainer
from worker.scheduler import Scheduler

type MakeScheduler = Callable[..., Scheduler]
type Add = Callable[..., Awaitable[Schedule]]


@pytest.fixture
async def make_scheduler(settings: CommonSettings) -> AsyncIterator[MakeScheduler]:
    """A scheduler as a worker builds it, on connections of its own."""
    async with AsyncExitStack() as stack:

        def make(**changes: Any) -> Scheduler:
            built = WorkerContainer(settings=worker_settings(settings, **changes))
            stack.push_async_callback(built.engine().dispose)
            stack.push_async_callback(built.direct().close)
            stack.push_async_callback(built.redis().aclose)
            scheduler: Scheduler = built.scheduler()
            return scheduler

        yield make


@pytest.fixture
def add(container: CommonContainer, owner: Owner) -> Add:
    """Insert a schedule, every hour unless it has a `cron`, whose next slot lies `ago` before now."""

    async def insert(*, ago: timedelta = timedelta(0), **changes: Any) -> Schedule:
        slot = (datetime.now(UTC) - ago).replace(second=0, microsecond=0)
        values = {
            "id": new_id(),
            "tenant_id": owner.tenant_id,
            "owner_id": owner.user_id,
            "name": "often",
            "kind": "system.echo",
            "payload": {"message": "{{ slot }}"},
            "options": {},
            "every": None if "cron" in changes else timedelta(hours=1),
            "anchor": slot,
            "timezone": "UTC",
            "jitter": timedelta(0),
            "overlap": "allow",
            "catch_up": "fire_once",
            "catch_up_window": timedelta(days=1),
            "next_slot": slot,
            "due_at": slot,
            **changes,
        }
        async with container.sessions().begin() as db:
            db.add(schedule := Schedule(**values))
        return schedule

    return insert


class Look:
    """What the tables say."""

    def __init__(self, container: CommonContainer) -> None:
        self._sessions = container.sessions()

    async def schedule(self, schedule_id: UUID) -> Schedule:
        async with self._sessions() as db:
            return (await db.execute(select(Schedule).where(Schedule.id == schedule_id))).scalar_one()

    async def firings(self, schedule_id: UUID) -> list[Firing]:
        """Oldest slot first."""
        async with self._sessions() as db:
            query = select(Firing).where(Firing.schedule_id == schedule_id).order_by(Firing.slot)
            return list((await db.execute(query)).scalars())

    async def jobs(self, kind: str = "system.echo") -> list[Job]:
        """In the order of submission."""
        async with self._sessions() as db:
            return list((await db.execute(select(Job).where(Job.kind == kind).order_by(Job.id))).scalars())


@pytest.fixture
def look(container: CommonContainer) -> Look:
    """A look at the tables."""
    return Look(container)
