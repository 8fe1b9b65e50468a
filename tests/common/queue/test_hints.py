"""Hints: fair among owners, ahead by priority, back by themselves, never twice at once."""

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from redis.asyncio.client import PubSub

from common.container import CommonContainer
from common.ids import new_id
from common.queue.hints import Hint, HintQueue

ALICE, BOB = new_id(), new_id()
LATER = timedelta(seconds=30)


@pytest.fixture
def hints(container: CommonContainer) -> HintQueue:
    queue: HintQueue = container.hints()
    return queue


def hint(owner: UUID, *, priority: int = 0, due: datetime | None = None) -> Hint:
    return Hint(new_id(), owner, "system.echo", "default", priority, due)


async def take(hints: HintQueue, count: int, redelivery: timedelta = LATER) -> list[UUID]:
    return [taken.job_id for taken in await hints.take(["default"], count, redelivery=redelivery)]


async def test_a_long_backlog_of_one_owner_does_not_delay_another(hints: HintQueue) -> None:
    backlog = [hint(ALICE) for _ in range(500)]
    await hints.enqueue(backlog)
    first = await take(hints, 100)
    short = [hint(BOB) for _ in range(5)]
    await hints.enqueue(short)
    assert first == [entry.job_id for entry in backlog[:100]]
    assert {entry.job_id for entry in short} <= set(await take(hints, 12))


async def test_priority_moves_ahead_but_nothing_waits_for_ever(hints: HintQueue) -> None:
    low = [hint(ALICE) for _ in range(30)]
    await hints.enqueue(low)
    urgent = hint(ALICE, priority=1)
    await hints.enqueue([urgent])
    taken = await take(hints, 31)
    assert taken.index(urgent.job_id) == 21
    assert set(taken) == {entry.job_id for entry in [*low, urgent]}


async def test_a_hint_that_nobody_settles_comes_back_and_a_settled_one_does_not(hints: HintQueue) -> None:
    kept, settled = hint(ALICE), hint(ALICE)
    await hints.enqueue([kept, settled])
    taken = await hints.take(["default"], 10, redelivery=timedelta(0))
    await hints.settle([entry for entry in taken if entry.job_id == settled.job_id])
    assert await take(hints, 10) == [kept.job_id]


async def test_enqueuing_twice_keeps_one_entry_in_its_place(hints: HintQueue) -> None:
    first, second = hint(ALICE), hint(ALICE)
    await hints.enqueue([first, second])
    await hints.enqueue([first])
    assert await take(hints, 10) == [first.job_id, second.job_id]


async def test_a_delayed_hint_is_not_due_before_its_time(hints: HintQueue) -> None:
    now = datetime.now(UTC)
    due, early = hint(ALICE, due=now - timedelta(seconds=1)), hint(ALICE, due=now + timedelta(minutes=1))
    await hints.enqueue([due, early])
    assert await take(hints, 10) == [due.job_id]


async def test_a_key_of_another_type_is_set_aside(container: CommonContainer, hints: HintQueue) -> None:
    await container.redis().set(container.keys().queue("default"), "garbage")
    assert await take(hints, 10) == []
    entry = hint(ALICE)
    await hints.enqueue([entry])
    assert await take(hints, 10) == [entry.job_id]
    assert await container.redis().keys("letuin:quarantine:*")


async def listen(container: CommonContainer, stack: AsyncExitStack, *channels: str) -> PubSub:
    """Subscribed to all of them when this returns."""
    pubsub: PubSub = await stack.enter_async_context(container.listener_redis().pubsub())
    await pubsub.subscribe(*channels)
    async with asyncio.timeout(60):
        for _ in channels:
            while (await pubsub.get_message(timeout=1) or {}).get("type") != "subscribe":
                pass
    return pubsub


async def heard(pubsub: PubSub, count: int) -> list[str]:
    """The channels of the next messages."""
    messages: list[str] = []
    async with asyncio.timeout(60):
        while len(messages) < count:
            if (message := await pubsub.get_message(timeout=1)) is not None:
                messages.append(message["channel"].decode())
    return messages


async def test_so_many_idle_workers_are_woken_as_there_are_jobs_and_one_more(
    container: CommonContainer, hints: HintQueue
) -> None:
    """Of those that are gone nobody waits for an answer; who has taken all that it could is left alone."""
    workers = [f"worker-{number}" for number in range(5)]
    everybody = container.keys().wake_channel("default")
    async with AsyncExitStack() as stack:
        pubsub = await listen(container, stack, everybody, *workers)
        for name in [*workers, "gone"]:
            assert await hints.take(["default"], 10, redelivery=LATER, listens_at=name) == []
            await asyncio.sleep(0.002)  # the order is by milliseconds
        await hints.enqueue([hint(ALICE)])
        assert await heard(pubsub, 2) == ["worker-4", "worker-3"]
        assert len(await hints.take(["default"], 1, redelivery=LATER, listens_at="worker-2")) == 1
        await hints.leave(["default"], "worker-1")
        await hints.enqueue([hint(ALICE) for _ in range(3)])
        assert await heard(pubsub, 1) == ["worker-0"]
        assert len(await take(hints, 10)) == 3
        await hints.enqueue([hint(ALICE)])
        assert await heard(pubsub, 1) == [everybody]
