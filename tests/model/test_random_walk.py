"""The model under a weighted random walk; then with each guard taken out, to show that the walk would notice."""

import random
from itertools import accumulate

import pytest

from tests.model.machine import Machine
from tests.model.parts import Guard, Violation

STEPS = 80
WEIGHTS = {
    Machine.submit: 5,
    Machine.fire: 2,
    Machine.cancel: 3,
    Machine.retry: 1,
    Machine.take_hint: 14,
    Machine.poll: 4,
    Machine.finish: 8,
    Machine.drain: 3,
    Machine.hand_back: 2,
    Machine.pause: 3,
    Machine.resume: 3,
    Machine.kill: 1,
    Machine.replace: 2,
    Machine.lose_lease: 5,
    Machine.empty_redis: 1,
    Machine.repeat_hint: 2,
    Machine.lose_hint: 2,
    Machine.reap: 6,
    Machine.dispatch: 2,
    Machine.check_epoch: 2,
}
_METHODS, _CUMULATIVE = list(WEIGHTS), list(accumulate(WEIGHTS.values()))

SPARE = frozenset({Guard.TIMER, Guard.EPOCH, Guard.POLL})
# Each entry is one thing to take out. Timer and poll stand in for each other; the epoch only makes it quicker.
NEEDED = [
    *(pytest.param(frozenset({guard}), id=guard.name.lower()) for guard in Guard if guard not in SPARE),
    pytest.param(frozenset({Guard.TIMER, Guard.POLL}), id="timer and poll"),
]


def walk(seed: int, without: frozenset[Guard] = frozenset()) -> str | None:
    """One run of faults, then none; the promise that was broken."""
    chance = random.Random(seed)
    machine = Machine(chance, without)
    try:
        for step in chance.choices(_METHODS, cum_weights=_CUMULATIVE, k=STEPS):
            step(machine)
        machine.heal()
    except Violation as violation:
        return str(violation)
    return None


def test_twenty_thousand_walks_break_no_promise() -> None:
    assert [seed for seed in range(20_000) if walk(seed)] == []


@pytest.mark.parametrize("without", NEEDED)
def test_without_a_guard_the_walk_finds_what_it_is_good_for(without: frozenset[Guard]) -> None:
    assert next((seed for seed in range(3000) if walk(seed, without)), None) is not None


@pytest.mark.parametrize("left", [Guard.TIMER, Guard.POLL], ids=["timer", "poll"])
def test_either_way_to_find_a_lost_hint_is_enough(left: Guard) -> None:
    assert [seed for seed in range(2000) if walk(seed, SPARE - {left})] == []
