"""Budgets under many jobs at once, and what is left of paid calls when workers die."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from common.config import CommonSettings
from common.container import CommonContainer
from common.queue.status import JobStatus
from tests.faults.fleet import Fleet
from tests.faults.kinds.pay import PayPayload, Point, pay
from tests.fixtures.provider import Provider, Reply
from tests.fixtures.stores import Stores
from tests.fixtures.workers import running_worker
from tests.worker.llm.conftest import DEAR, KEY, Desk, Working
from worker.container import WorkerContainer

# The provider counts 7 tokens in and 4 out: 11 dollars. "Hi" may come to 2 + 16 bytes in and max_tokens out.
METERED: dict[str, Any] = {
    "llm_models": [{"name": "metered", "prices": DEAR}],
    "default_model": "metered",
    "worker_concurrency": 50,
}
COST, MOST = 11, 28


async def waiting_for_budget(container: CommonContainer) -> int:
    async with container.sessions()() as db:
        is_waiting = "status = 'queued' AND waiting = 'budget' AND run_at > now() + interval '9 s'"
        return int(await db.scalar(text(f"SELECT count(*) FROM jobs WHERE {is_waiting}")) or 0)


async def nothing_reserved(desk: Desk) -> None:
    """The leader looks each second."""
    async with asyncio.timeout(60):
        while (await desk.books())[2]:  # noqa: ASYNC110  rows tell nobody
            await asyncio.sleep(0.05)


async def test_many_jobs_never_spend_more_than_the_budget(
    container: CommonContainer, provider: Provider, desk: Desk, working: Working
) -> None:
    provider.script(*[Reply(delay=0.05)] * 50)
    await desk.budget(max_cost=Decimal(300))
    async with working(**METERED):
        jobs = [await desk.submit("Hi", max_tokens=10) for _ in range(50)]
        # 24 calls came to 264: one more may cost 28, the next one may not.
        async with asyncio.timeout(60):
            while await waiting_for_budget(container) < 25:
                spent, reserved, _ = await desk.books()
                assert spent + reserved <= 300
                await asyncio.sleep(0.02)
        assert await desk.books() == (Decimal(25 * COST), Decimal(0), 0)
        async with container.sessions().begin() as db:
            await db.execute(text("UPDATE budgets SET max_cost = 10000"))
            assert await desk.budgets.wake_waiting(db, desk.owner.tenant_id) == 25
        rows = [await desk.watcher.ended(job) for job in jobs]
    assert {row.status for row in rows} == {JobStatus.SUCCEEDED}
    assert await desk.books() == (Decimal(50 * COST), Decimal(0), 0)
    assert sum(row.cost for row in await desk.usage()) == 50 * COST


async def test_a_job_over_budget_waits_until_the_window_turns_or_fails(desk: Desk, working: Working) -> None:
    await desk.budget(max_tokens=30)
    async with working(**METERED):
        await desk.ask("Hi", max_tokens=10)
        job = await desk.submit("Hi", max_tokens=10)
        told = await desk.watcher.until(job.id, "job.retrying")
        never = await desk.ask("Hi", max_tokens=13)
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    assert told.data["reason"] == "snoozed"
    wait = datetime.fromisoformat(told.data["run_at"]) - midnight
    assert 86_400 <= wait.total_seconds() <= 86_400 + 31
    assert never.error is not None
    assert "may cost more than the whole budget" in never.error["message"]
    async with working(**METERED, llm_over_budget="fail"):
        failed = await desk.ask("Hi", max_tokens=10)
    assert failed.error is not None
    assert (failed.error["code"], failed.error["message"]) == ("permanent", "the budget for metered is used up")


async def test_a_call_counts_in_the_window_where_it_began(
    container: CommonContainer, provider: Provider, desk: Desk, working: Working
) -> None:
    provider.script(Reply(delay=2))
    await desk.budget(max_cost=Decimal(50))
    async with working(**METERED):
        early = await desk.submit("Hi", max_tokens=10)
        await provider.asked.wait()
        async with container.sessions().begin() as db:
            for table in ("budgets", "budget_reservations"):
                await db.execute(text(f"UPDATE {table} SET window_start = window_start - interval '1 day'"))
        late = await desk.ask("Hi", max_tokens=10)
        assert (await desk.watcher.ended(early)).status == late.status == JobStatus.SUCCEEDED
    # Both together, with what the first kept back, are more than a day may cost.
    assert await desk.books() == (Decimal(COST), Decimal(0), 0)
    assert len(await desk.usage()) == 2


async def test_what_costs_nothing_has_room_in_a_budget_that_is_used_up(
    container: CommonContainer, desk: Desk, working: Working
) -> None:
    await desk.budget(max_cost=Decimal(100))
    async with working(**METERED, llm_over_budget="fail"):
        await desk.ask("Hi", max_tokens=10)
        async with container.sessions().begin() as db:
            await db.execute(text("UPDATE budgets SET max_cost = 5"))
        free = await desk.ask("Hi", model="of-our-own", max_tokens=10)
        paid = await desk.ask("Hi", max_tokens=10)
    assert (free.status, paid.status) == (JobStatus.SUCCEEDED, JobStatus.FAILED)


async def test_a_budget_of_one_model_binds_no_other(desk: Desk, working: Working) -> None:
    await desk.budget(max_tokens=1, model="Metered")
    async with working(**METERED):
        refused = await desk.ask("Hi", max_tokens=10)
        other = await desk.ask("Hi", model="gpt-4o", max_tokens=10)
    assert (refused.status, other.status) == (JobStatus.FAILED, JobStatus.SUCCEEDED)


async def test_what_nobody_ends_is_given_back_and_counted(
    container: CommonContainer, settings: CommonSettings, desk: Desk
) -> None:
    await desk.budget(max_cost=Decimal(100))
    reserve = (
        "INSERT INTO budget_reservations (call_id, budget_id, job_id, attempt, window_start, cost, tokens) "
        "SELECT gen_random_uuid(), id, gen_random_uuid(), 1, window_start, 10, 10 FROM budgets"
    )
    async with container.sessions().begin() as db:
        for _ in range(2):
            await db.execute(text(reserve))
        await db.execute(text("UPDATE budgets SET reserved_cost = 20, reserved_tokens = 20"))
    found: list[WorkerContainer] = []
    async with running_worker(settings, found.append):
        await nothing_reserved(desk)
        async with asyncio.timeout(60):
            while found[0].worker_metrics().calls_lost.value() < 2:  # noqa: ASYNC110  counters tell nobody
                await asyncio.sleep(0.02)
    assert await desk.books() == (Decimal(0), Decimal(0), 0)


@pytest.mark.parametrize(
    ("point", "asked"),
    [
        pytest.param("after", ["one", "two", "three"], marks=pytest.mark.soak),
        ("inside", ["one", "two", "two", "three"]),  # nobody can know what was said before the worker died
        pytest.param("before", ["one", "two", "three"], marks=pytest.mark.soak),
    ],
)
async def test_a_killed_worker_leaves_nothing_to_pay_twice(
    stores: Stores,
    container: CommonContainer,
    provider: Provider,
    desk: Desk,
    point: Point,
    asked: list[str],
) -> None:
    await desk.budget(max_cost=Decimal(1000))
    models = '[{"name": "metered", "prices": {"input": "1000000", "output": "1000000"}}]'
    found = {"OPENAI_BASE_URL": provider.url, "OPENAI_API_KEY": KEY, "DEFAULT_MODEL": "metered", "LLM_MODELS": models}
    payload = PayPayload(prompts=["one", "two", "three"], max_tokens=10, point=point, at=1, is_killed=True)
    async with Fleet({**stores.environment, **found}) as fleet:
        job = await container.queue().submit(pay, payload, owner=desk.owner)
        dead = await fleet.start_one()
        await dead.ended()
        _, reserved, count = await desk.books()
        assert (reserved > 0, count) == ((True, 1) if point == "inside" else (False, 0))
        async with container.sessions().begin() as db:
            await db.execute(text("UPDATE workers SET stopped_at = now()"))  # as the supervisor says
        await fleet.start_one()
        row = await desk.watcher.ended(job)
        assert row.result == {"texts": ["Hello, world!"] * 3, "answers": [], "vectors": []}
        await nothing_reserved(desk)
    assert [seen.body["messages"][0]["content"] for seen in provider.seen] == asked
    assert (row.attempt, row.crashes) == (2, 1)
    assert await desk.books() == (Decimal(3 * COST), Decimal(0), 0)
