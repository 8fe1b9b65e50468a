"""One budget, several worker processes of which one is killed, and a provider that fails in many ways."""

import asyncio
from decimal import Decimal

import pytest
from pydantic import BaseModel
from sqlalchemy import text

from common.container import CommonContainer
from common.database.model import Job
from common.jobs.llm_batch import LlmBatchPayload, llm_batch
from common.jobs.llm_chat import LlmChatPayload, llm_chat
from common.jobs.llm_embed import LlmEmbedPayload, llm_embed
from common.jobs.llm_structured import LlmStructuredPayload, llm_structured
from common.queue.client import SubmitOptions
from common.queue.definition import AnyJobKind
from common.queue.status import JobStatus
from tests.faults.fleet import Fleet
from tests.fixtures.provider import Faults, Provider, Reply
from tests.fixtures.stores import Stores
from tests.worker.llm.conftest import KEY, Desk

MODELS = """[
 {"name": "metered", "prices": {"input": "1000000", "output": "1000000"}},
 {"name": "dearer", "prices": {"input": "2000000", "output": "3000000"}},
 {"name": "text-embedding-3-large", "prices": {"input": "1000000"}}]"""
LIMIT = Decimal(600)
FAULTS = {"503": 0.1, "drop": 0.1, "cut": 0.05, "malformed": 0.05, "error": 0.05}


async def _submit(desk: Desk) -> list[Job]:
    items = [{"custom_id": f"c{number}", "prompt": f"Item {number}"} for number in range(10)]
    wanted: list[tuple[AnyJobKind, BaseModel]] = [
        *((llm_chat, LlmChatPayload(prompt=f"Question {number}", max_tokens=10)) for number in range(40)),
        *((llm_embed, LlmEmbedPayload(texts=[f"text {number}"])) for number in range(10)),
        (llm_batch, LlmBatchPayload.model_validate({"items": items, "max_tokens": 10, "parallel": 4})),
    ]
    options = SubmitOptions(max_attempts=90)
    queue = desk.container.queue()
    return [await queue.submit(kind, payload, owner=desk.owner, options=options) for kind, payload in wanted]


async def _within(desk: Desk, container: CommonContainer) -> None:
    """Look at the books until whoever is left waits for the budget's window."""
    is_waiting = "status = 'queued' AND waiting = 'budget' AND run_at > now() + interval '9 s'"
    left = text(f"SELECT count(*) FROM jobs WHERE finished_at IS NULL AND NOT ({is_waiting})")
    while True:
        spent, reserved, _ = await desk.books()
        assert spent + reserved <= LIMIT
        async with container.sessions()() as db:
            if not await db.scalar(left):
                return
        await asyncio.sleep(0.1)


@pytest.mark.soak
async def test_no_budget_is_exceeded_whoever_dies(
    stores: Stores, container: CommonContainer, provider: Provider, desk: Desk
) -> None:
    provider.usual = Reply(delay=0.1)
    provider.faults = Faults(7, FAULTS)
    await desk.budget(max_cost=LIMIT)
    found = {
        "OPENAI_BASE_URL": provider.url,
        "OPENAI_API_KEY": KEY,
        "DEFAULT_MODEL": "metered",
        "LLM_MODELS": MODELS,
        "LLM_FALLBACKS": '{"metered": ["dearer"]}',
        "LLM_COOLDOWN_AFTER": "1000",
        "WORKER_QUEUES": "llm",
    }
    jobs = await _submit(desk)
    async with Fleet(stores.environment) as fleet, asyncio.timeout(400):
        workers = await fleet.start(3, **found)
        watching = asyncio.create_task(_within(desk, container))
        while (await desk.books())[0] < LIMIT / 4:  # noqa: ASYNC110  rows tell nobody
            await asyncio.sleep(0.02)
        await workers[0].kill()
        await watching
        spent, reserved, count = await desk.books()
        assert not reserved
        assert not count
        assert spent > LIMIT / 2
        assert sum(row.cost for row in await desk.usage()) == spent
        async with container.sessions().begin() as db:
            await db.execute(text("UPDATE budgets SET max_cost = 100000"))
            await desk.budgets.wake_waiting(db, desk.owner.tenant_id)
        rows = [await desk.watcher.ended(job) for job in jobs]
    assert {row.status for row in rows} == {JobStatus.SUCCEEDED}
    spent, reserved, count = await desk.books()
    assert not reserved
    assert not count
    assert sum(row.cost for row in await desk.usage()) == spent
    # Whole answers go out again only where their worker died before it could write them down.
    assert provider.verdict.repeated <= 12


@pytest.mark.soak
async def test_kinds_of_many_calls_pay_for_each_once_whenever_their_worker_dies(
    stores: Stores, container: CommonContainer, provider: Provider, desk: Desk
) -> None:
    provider.faults = Faults(3, {}, latency=(0.2, 0.4))
    found = {
        "OPENAI_BASE_URL": provider.url,
        "OPENAI_API_KEY": KEY,
        "DEFAULT_MODEL": "gpt-4o-mini",
        "WORKER_QUEUES": "llm",
        "MAX_CRASHES": "50",
    }
    never = {"type": "string", "pattern": "^z+$"}
    items = [{"custom_id": f"c{number}", "prompt": "All the same"} for number in range(9)]
    wanted: list[tuple[AnyJobKind, BaseModel]] = [
        (llm_batch, LlmBatchPayload.model_validate({"items": items, "parallel": 2})),
        (llm_structured, LlmStructuredPayload(prompt="Where?", json_schema=never, max_repairs=4)),
        (llm_embed, LlmEmbedPayload(texts=["one", "two"])),
    ]
    jobs = [await desk.container.queue().submit(kind, payload, owner=desk.owner) for kind, payload in wanted]
    in_flight = 0
    async with Fleet(stores.environment) as fleet, asyncio.timeout(400):
        for seen in (3, 7, 11):
            worker = await fleet.start_one(**found)
            while len(provider.seen) < seen + in_flight:
                provider.asked.clear()
                await provider.asked.wait()
            in_flight += provider.verdict.under_way
            await worker.kill()
            async with container.sessions().begin() as db:
                await db.execute(text("UPDATE workers SET stopped_at = now() WHERE stopped_at IS NULL"))
        await fleet.start_one(**found)
        batch, structured, embed = [await desk.watcher.ended(job) for job in jobs]
    assert (batch.status, embed.status) == (JobStatus.SUCCEEDED, JobStatus.SUCCEEDED)
    assert structured.error is not None
    assert "no answer of 5 follows the schema" in structured.error["message"]
    # Each item, each answer that was sent back and the texts, once; only what was under way at a death, again.
    assert 9 + 5 + 1 <= len(provider.seen) <= 9 + 5 + 1 + in_flight
    assert len(await desk.usage()) == 9 + 5 + 1
