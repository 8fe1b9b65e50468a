"""Limits of models, counted in a real Redis by several workers at once."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from common.container import CommonContainer
from common.errors import Snooze
from common.ids import new_id
from common.redis import create_redis
from worker.llm.flow import FlowCall, FlowControl, FlowReason, Permit, Refusal
from worker.llm.flow_limits import FlowLimits, FlowRules

type Build = Callable[..., FlowControl]
MINUTE = timedelta(minutes=1)


@pytest.fixture
async def build(container: CommonContainer) -> AsyncIterator[Build]:
    """Makes what each worker has one of, on connections of its own."""
    built = []

    def make(model: FlowLimits | None = None, tenant: FlowLimits | None = None, **values: Any) -> FlowControl:
        redis = create_redis(container.settings())
        rules = FlowRules(model or FlowLimits(), tenant or FlowLimits())
        control = FlowControl(redis, container.keys(), rules, **{"window": timedelta(milliseconds=600), **values})
        built.append((redis, control))
        return control

    yield make
    for redis, control in built:
        await control.aclose()
        await redis.aclose()


def ask(waiter: object = None, **values: Any) -> FlowCall:
    return FlowCall(**{"model": "m", "tokens": 1, "waiter": str(waiter or new_id()), **values})


async def granted(control: FlowControl, call: FlowCall) -> Permit:
    found = await control.acquire(call)
    assert isinstance(found, Permit), found
    return found


async def refused(control: FlowControl, call: FlowCall) -> Refusal:
    found = await control.acquire(call)
    assert isinstance(found, Refusal), found
    return found


async def wait_for_permit(control: FlowControl, call: FlowCall) -> Permit:
    async with control.admit(call, patience=MINUTE) as permit:
        return permit


def most_in_a_window(permits: list[Permit], weight: Callable[[Permit], int] = lambda _: 1) -> int:
    cells: Counter[int] = Counter()
    for permit in permits:
        cells[permit.cell] += weight(permit)
    return max(sum(cells[cell + ahead] for ahead in range(60)) for cell in cells)


async def test_no_window_sees_more_requests_than_the_limit(build: Build) -> None:
    workers = [build(FlowLimits(requests=40)) for _ in range(3)]
    async with asyncio.timeout(60):
        calls = [wait_for_permit(workers[number % 3], ask(number)) for number in range(130)]
        permits = await asyncio.gather(*calls)
    assert 0 < most_in_a_window(permits) <= 40


async def test_tokens_are_guessed_before_and_corrected_after(build: Build) -> None:
    control = build(FlowLimits(tokens=100), window=MINUTE)
    first = await granted(control, ask(tokens=60))
    assert (await refused(control, ask(tokens=60))).reason is FlowReason.RATE
    await control.settle(first, 30)
    await control.settle(first, 1)  # only once
    second = await granted(control, ask(tokens=70))
    await refused(control, ask(tokens=1))
    await control.refund(second)
    third = await granted(control, ask(tokens=10))
    await control.settle(third, 1000)
    assert (await refused(control, ask("last", tokens=1))).delay > timedelta(seconds=50)


async def test_a_call_larger_than_the_limit_goes_alone(build: Build) -> None:
    control = build(FlowLimits(tokens=100))
    small = await granted(control, ask(tokens=1))
    await refused(control, ask("large", tokens=5000))
    await control.refund(small)
    await granted(control, ask("large", tokens=5000))
    await refused(control, ask(tokens=1))


async def test_a_large_call_is_not_starved_by_small_ones(build: Build) -> None:
    control = build(FlowLimits(tokens=100))
    stop = asyncio.Event()

    async def small(number: int) -> None:
        while not stop.is_set():
            await wait_for_permit(control, ask(number, tokens=10))

    async with asyncio.timeout(60):
        others = [asyncio.create_task(small(number)) for number in range(10)]
        await wait_for_permit(control, ask(tokens=10))
        await wait_for_permit(control, ask("large", tokens=95))
        stop.set()
        for other in others:
            other.cancel()
        await asyncio.wait(others)


async def test_calls_at_once_are_counted_over_workers_and_models_apart(build: Build) -> None:
    first, second = (build(FlowLimits(concurrency=2)) for _ in range(2))
    one = await granted(first, ask())
    await granted(second, ask())
    refusal = await refused(second, ask("waiting"))
    assert refusal.reason is FlowReason.CONCURRENCY
    await granted(first, ask(model="other"))
    await first.settle(one)
    await granted(second, ask("waiting"))
    await refused(first, ask())


async def test_the_slot_of_a_dead_worker_comes_back(build: Build) -> None:
    dead, alive = (build(FlowLimits(concurrency=1), lease=timedelta(milliseconds=300)) for _ in range(2))
    await granted(dead, ask())
    await dead.aclose()
    async with asyncio.timeout(60):
        await wait_for_permit(alive, ask())


async def test_the_slot_of_a_long_call_is_renewed(build: Build) -> None:
    control = build(FlowLimits(concurrency=1), lease=timedelta(milliseconds=600))
    permit = await granted(control, ask())
    await asyncio.sleep(1)
    await refused(control, ask("waiting"))
    await control.settle(permit)
    await wait_for_permit(control, ask("waiting"))


async def test_a_tenants_limit_holds_back_nobody_else(build: Build) -> None:
    control = build(tenant=FlowLimits(requests=3), window=MINUTE)
    one, other = new_id(), new_id()
    for _ in range(3):
        await granted(control, ask(tenant_id=one))
    await refused(control, ask(tenant_id=one))
    await granted(control, ask(tenant_id=other))
    await granted(control, ask(tenant_id=one, model="other"))
    await granted(control, ask(tenant_id=one, side="model"))


async def test_a_models_own_limits_come_first(build: Build) -> None:
    control = build(FlowLimits(requests=1), window=MINUTE)
    for _ in range(3):
        await granted(control, ask(limits=FlowLimits(requests=3)))
    await refused(control, ask(limits=FlowLimits(requests=3)))
    await granted(control, ask(model="other"))
    await refused(control, ask(model="Other"))


async def test_a_cooling_model_is_left_alone_by_every_worker(build: Build) -> None:
    first, second = build(), build()
    await first.cool_down("m", timedelta(seconds=30))
    await first.cool_down("m", timedelta(seconds=1))  # never shorter
    refusals = [await refused(second, ask(model=name)) for name in "mMm"]
    assert {refusal.reason for refusal in refusals} == {FlowReason.COOLDOWN}
    assert all(timedelta(seconds=25) < refusal.delay < timedelta(seconds=32) for refusal in refusals)
    await granted(second, ask(model="other"))


async def test_a_thousand_waiters_come_back_one_after_the_other(build: Build) -> None:
    control = build(FlowLimits(concurrency=10), window=MINUTE)
    for _ in range(10):
        await granted(control, ask())
    refusals = await asyncio.gather(*(refused(control, ask()) for _ in range(1000)))
    seconds = Counter(int(refusal.delay.total_seconds()) for refusal in refusals)
    # A call is taken to last a fifth of a second until one has ended: fifty places come free in each.
    assert max(seconds.values()) < 110
    await control.cool_down("cooling", MINUTE)
    now = asyncio.get_running_loop().time

    async def comes_back() -> float:
        refusal = await refused(control, ask(model="cooling"))
        return now() + refusal.delay.total_seconds()

    back = Counter(int(moment) for moment in await asyncio.gather(*(comes_back() for _ in range(1000))))
    assert max(back.values()) < 100


async def test_who_waits_goes_before_who_comes(build: Build) -> None:
    control = build(FlowLimits(concurrency=1))
    permit = await granted(control, ask())
    refusal = await refused(control, ask("patient"))
    await control.settle(permit)
    await asyncio.sleep(refusal.delay.total_seconds())
    await refused(control, ask("newcomer"))
    await granted(control, ask("patient"))


async def test_a_tenant_with_many_waiters_does_not_hold_up_another(build: Build) -> None:
    control = build(FlowLimits(requests=10), window=timedelta(seconds=6))
    crowd, lone = new_id(), new_id()
    for _ in range(10):
        await granted(control, ask(tenant_id=crowd))
    waits = [(await refused(control, ask(tenant_id=crowd))).delay for _ in range(200)]
    assert waits[-1] > timedelta(seconds=30)
    assert (await refused(control, ask(tenant_id=lone))).delay < timedelta(seconds=10)


async def test_one_of_many_waiters_that_goes_early_does_not_put_another_tenant_behind_the_rest(build: Build) -> None:
    control = build(FlowLimits(requests=10), window=timedelta(seconds=6))
    crowd, lone = new_id(), new_id()
    permits = [await granted(control, ask(tenant_id=crowd)) for _ in range(10)]
    for number in range(200):
        await refused(control, ask(number, tenant_id=crowd))
    # There is room while nobody is due yet: whoever comes then gets it.
    await control.refund(permits[0])
    await granted(control, ask(199, tenant_id=crowd))
    assert (await refused(control, ask(tenant_id=lone))).delay < timedelta(seconds=10)


async def test_admit_waits_for_what_is_near_and_snoozes_for_the_rest(build: Build) -> None:
    control = build(FlowLimits(requests=1))
    async with control.admit(ask()) as first, asyncio.timeout(60):
        async with control.admit(ask(), patience=timedelta(seconds=5)) as second:
            assert second.cell >= first.cell + 60
        with pytest.raises(Snooze) as caught:
            async with control.admit(ask()):
                raise AssertionError("nobody may come in")
    assert caught.value.message == "rate"
    assert caught.value.delay > timedelta(0)


@pytest.mark.parametrize("policy", ["open", "closed"])
async def test_without_redis_the_setting_decides(container: CommonContainer, policy: Any) -> None:
    settings = container.settings().model_copy(update={"redis_url": SecretStr("redis://127.0.0.1:9/0")})
    redis = create_redis(settings)
    rules = FlowRules(FlowLimits(requests=1))
    control = FlowControl(redis, container.keys(), rules, without_redis=policy)
    if policy == "open":
        permits = await asyncio.gather(*(granted(control, ask()) for _ in range(20)))
        await control.settle(permits[0])
    else:
        assert (await refused(control, ask())).reason is FlowReason.UNAVAILABLE
    await control.cool_down("m", MINUTE)
    await redis.aclose()
