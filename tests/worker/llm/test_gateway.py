"""Calls of models through jobs: usage, tools, fallbacks, cooling, cached answers; nothing tells a key."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from common.container import CommonContainer
from common.queue.status import JobStatus
from tests.fixtures.provider import Provider, Reply
from tests.worker.llm.conftest import KEY, Desk, Working
from worker.llm.flow import FlowControl, Permit


async def test_an_answer_is_counted_with_its_price(provider: Provider, desk: Desk, working: Working) -> None:
    async with working():
        job = await desk.ask(temperature=0.1)
    assert job.result is not None
    assert (job.result["text"], job.result["cached"]) == ("Hello, world!", False)
    [row] = await desk.usage()
    assert (row.model, row.kind, row.input_tokens, row.output_tokens) == ("gpt-4o-mini", "llm.chat", 7, 4)
    assert row.cost == (7 * Decimal("0.15") + 4 * Decimal("0.60")) / 1_000_000
    assert (row.tenant_id, row.owner_id, row.job_id) == (job.tenant_id, job.owner_id, job.id)
    assert (row.is_cached, row.is_estimated) == (False, False)


async def test_a_provider_that_counts_nothing_is_guessed(provider: Provider, desk: Desk, working: Working) -> None:
    provider.script(Reply(usage=False), Reply(ending="drop"), Reply(status=503))
    async with working(llm_cooldown_after=9):
        await desk.ask("x" * 300)
        await desk.ask("x" * 300, max_attempts=1)
        await desk.ask("x" * 300, max_attempts=1)
    first, broken_off = await desk.usage()  # the third said nothing
    assert (first.is_estimated, broken_off.is_estimated) == (True, True)
    assert first.input_tokens == broken_off.input_tokens == 101
    assert broken_off.output_tokens > 0


async def test_another_model_stands_in(provider: Provider, desk: Desk, working: Working) -> None:
    provider.script(Reply(status=503), Reply(pieces=("from the other",)))
    async with working(llm_fallbacks={"gpt-4o": ["gpt-4o-mini"]}):
        job = await desk.ask(model="gpt-4o")
        assert job.result is not None
        assert (job.attempt, job.result["text"], job.result["model"]) == (1, "from the other", "gpt-4o-mini")
    assert [seen.body["model"] for seen in provider.seen] == ["gpt-4o", "gpt-4o-mini"]
    assert [row.model for row in await desk.usage()] == ["gpt-4o-mini"]


async def test_no_other_model_goes_on_with_a_text(provider: Provider, desk: Desk, working: Working) -> None:
    provider.script(Reply(ending="drop"), Reply(pieces=("whole",)))
    async with working(llm_fallbacks={"gpt-4o": ["gpt-4o-mini"]}):
        job = await desk.submit(model="gpt-4o")
        reset = await desk.watcher.until(job.id, "llm.reset")
        row = await desk.watcher.ended(job)
    assert reset.data == {"attempt": 2}
    assert row.result is not None
    assert (row.attempt, row.result["text"], row.result["model"]) == (2, "whole", "gpt-4o")


async def test_a_refusal_for_good_is_no_reason_to_ask_another(provider: Provider, desk: Desk, working: Working) -> None:
    provider.script(Reply(status=401, error={"message": f"wrong key {KEY}"}))
    async with working(llm_fallbacks={"gpt-4o": ["gpt-4o-mini"]}):
        job = await desk.ask(model="gpt-4o")
    assert job.error is not None
    assert (job.status, job.error["code"], len(provider.seen)) == (JobStatus.FAILED, "permanent", 1)
    assert KEY not in str(job.error)


async def test_what_keeps_a_stand_in_away_does_not_end_the_job(
    provider: Provider, desk: Desk, working: Working
) -> None:
    await desk.budget(max_tokens=1, model="gpt-4o-mini")
    provider.script(Reply(status=503), Reply(status=400, error={"message": "no tools here"}), Reply())
    async with working(llm_fallbacks={"gpt-4o": ["gpt-4o-mini", "gpt-5"]}, llm_cooldown_after=9):
        job = await desk.ask(model="gpt-4o")
    assert (job.status, job.attempt) == (JobStatus.SUCCEEDED, 2)
    assert [seen.body["model"] for seen in provider.seen] == ["gpt-4o", "gpt-5", "gpt-4o"]


async def test_an_absurd_time_to_come_back_is_bounded(
    container: CommonContainer, provider: Provider, desk: Desk, working: Working
) -> None:
    provider.script(Reply(status=429, headers={"Retry-After": "315360000"}))
    async with working():
        await desk.watcher.until((await desk.submit()).id, "job.retrying")
        left = await container.redis().pttl(container.keys().flow("model:gpt-4o-mini", "cooldown"))
    assert 0 < left <= 3_600_000


async def test_what_was_paid_is_written_before_redis_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, desk: Desk, working: Working
) -> None:
    asked, go_on = asyncio.Event(), asyncio.Event()
    settle = FlowControl.settle

    async def slow(control: FlowControl, permit: Permit, tokens: int | None = None) -> None:
        asked.set()
        await go_on.wait()
        await settle(control, permit, tokens)

    monkeypatch.setattr(FlowControl, "settle", slow)
    async with working(), asyncio.timeout(60):
        job = await desk.submit()
        await asked.wait()
        rows = await desk.usage()
        go_on.set()
        await desk.watcher.ended(job)
    assert [row.output_tokens for row in rows] == [4]


async def test_too_many_requests_cool_the_model_for_everybody(provider: Provider, desk: Desk, working: Working) -> None:
    provider.script(Reply(status=429, headers={"Retry-After": "2"}))
    async with working(), working():
        jobs = [await desk.submit(max_attempts=1)]
        told = [await desk.watcher.until(jobs[0].id, "job.retrying")]
        jobs.append(await desk.submit(max_attempts=1))
        told.append(await desk.watcher.until(jobs[1].id, "job.retrying"))
        rows = [await desk.watcher.ended(job) for job in jobs]
    assert [event.data["reason"] for event in told] == ["snoozed", "snoozed"]
    assert [(row.status, row.failures) for row in rows] == [(JobStatus.SUCCEEDED, 0)] * 2
    assert len(provider.seen) == 3


async def test_no_job_waits_for_ever_for_a_model_that_cools_down(
    provider: Provider, desk: Desk, working: Working
) -> None:
    provider.usual = Reply(status=429, headers={"Retry-After": "0"})
    async with working(llm_cooldown_patience=0.5):
        job = await desk.ask(max_attempts=1)
        outcomes = [each.outcome for each in await desk.attempts(job)]
    assert job.error is not None
    assert (job.error["code"], outcomes) == ("retries_exhausted", ["snoozed", "failed"])
    assert "answered 429; that has lasted longer than LLM_COOLDOWN_PATIENCE" in job.error["message"]


async def test_a_model_that_keeps_failing_is_left_alone(provider: Provider, desk: Desk, working: Working) -> None:
    provider.script(Reply(status=500), Reply(), Reply(status=502), Reply())
    async with working(llm_cooldown_after=2, llm_cooldown=30, llm_fallbacks={"gpt-4o": ["gpt-4o-mini"]}):
        for _ in range(3):
            await desk.ask(model="gpt-4o")
    asked = [seen.body["model"] for seen in provider.seen]
    assert asked == ["gpt-4o", "gpt-4o-mini", "gpt-4o", "gpt-4o-mini", "gpt-4o-mini"]


@pytest.mark.parametrize(
    ("values", "calls"),
    [({"temperature": 0}, 1), ({"cache": True}, 1), ({}, 2), ({"temperature": 0, "cache": False}, 2)],
)
async def test_equal_questions_may_be_answered_once(
    provider: Provider, desk: Desk, working: Working, values: dict[str, Any], calls: int
) -> None:
    async with working(llm_cache_lifetime=60):
        first = await desk.ask(**values)
        again = await desk.ask(**values)
    assert first.result is not None
    assert again.result is not None
    assert again.result["text"] == first.result["text"] == "Hello, world!"
    assert (len(provider.seen), again.result["cached"]) == (calls, calls == 1)
    rows = await desk.usage()
    assert [row.is_cached for row in rows] == [False, calls == 1]
    assert sum(row.input_tokens for row in rows) == 7 * calls
