"""Jobs that ask the test's provider, and what is in the books afterwards."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from common import jobs
from common.config import CommonSettings
from common.container import CommonContainer
from common.database.model import Attempt, BudgetPeriod, Job, UsageRecord
from common.jobs.llm_chat import LlmChatPayload, llm_chat
from common.queue.client import SubmitOptions
from common.repository.budget import BudgetRepository, NewBudget
from common.repository.job import Owner
from tests.fixtures.provider import Provider
from tests.fixtures.workers import Watcher, running_worker
from worker.container import WorkerContainer
from worker.engine import Engine

KEY = "unusual-form-of-key-4711"
KINDS = Path(__file__).parents[2] / "faults" / "kinds"
# A budget of these prices: a token costs a dollar.
DEAR = {"input": "1000000", "output": "1000000"}


@pytest.fixture(autouse=True)
def _kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker knows the kind that makes paid calls."""
    monkeypatch.setattr(jobs, "__path__", [*jobs.__path__, str(KINDS)])


@dataclass
class Desk:
    """Asks models through jobs."""

    container: CommonContainer
    owner: Owner
    watcher: Watcher
    budgets: BudgetRepository

    async def submit(self, prompt: str = "Hi", *, max_attempts: int = 4, **values: Any) -> Job:
        payload = LlmChatPayload(prompt=prompt, **values)
        options = SubmitOptions(max_attempts=max_attempts)
        return await self.container.queue().submit(llm_chat, payload, owner=self.owner, options=options)

    async def ask(self, prompt: str = "Hi", **values: Any) -> Job:
        """The job once it has ended."""
        return await self.watcher.ended(await self.submit(prompt, **values))

    async def attempts(self, job: Job) -> list[Attempt]:
        async with self.container.sessions()() as db:
            return list(await self.container.jobs().list_attempts(db, job.id))

    async def usage(self) -> list[UsageRecord]:
        async with self.container.sessions()() as db:
            return list(await db.scalars(select(UsageRecord).order_by(UsageRecord.started_at)))

    async def budget(self, **values: Any) -> None:
        new = NewBudget(self.owner.tenant_id, **{"period": BudgetPeriod.DAY, **values})
        async with self.container.sessions().begin() as db:
            assert await self.budgets.add(db, new) is not None

    async def books(self) -> tuple[Decimal, Decimal, int]:
        """Of the one budget: spent, reserved (US dollars), and how many reservations there are."""
        async with self.container.sessions()() as db:
            [row] = await db.execute(text("SELECT spent_cost, reserved_cost FROM budgets"))
            count = await db.scalar(text("SELECT count(*) FROM budget_reservations"))
        return row[0], row[1], count or 0


@pytest.fixture
def desk(container: CommonContainer, owner: Owner, watcher: Watcher) -> Desk:
    return Desk(container, owner, watcher, BudgetRepository())


type Working = Callable[..., AbstractAsyncContextManager[Engine]]


@pytest.fixture
def working(settings: CommonSettings, provider: Provider) -> Working:
    """A worker whose models are the test's provider."""

    @asynccontextmanager
    async def start(
        prepare: Callable[[WorkerContainer], None] | None = None, /, **changes: Any
    ) -> AsyncIterator[Engine]:
        found = {
            "openai_base_url": provider.url,
            "openai_api_key": KEY,
            "default_model": "gpt-4o-mini",
            "llm_limit_patience": 0,
            **changes,
        }
        async with running_worker(settings, prepare, **found) as engine:
            yield engine

    return start
