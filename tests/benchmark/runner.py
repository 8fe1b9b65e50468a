"""Runs the plan: every engine once, then all of them again, so that a busy minute hits all alike."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import psutil

from tests.benchmark.cases.base import Case
from tests.benchmark.peers.base import Peer
from tests.benchmark.results import Results
from tests.benchmark.servers import Servers


@dataclass(frozen=True)
class Step:
    """One run of one case with one engine."""

    case: Case
    engine: type[Peer]
    number: int

    @property
    def label(self) -> str:
        return f"{self.case.name} · {self.engine.name}"


def make_plan(cases: Sequence[Case], engines: Mapping[str, type[Peer]], runs: int) -> list[Step]:
    """All steps, interleaved: engines follow each other within a run. Crashes are told by one run."""
    return [
        Step(case, engine, number)
        for case in cases
        for number in range(min(runs, case.most_runs))
        for name, engine in engines.items()
        if not case.engines or name in case.engines
    ]


async def run_plan(servers: Servers, plan: Sequence[Step], results: Results, on_step: Callable[[Step], None]) -> None:
    """Run every step on clean servers. A failed engine is noted and not asked again in the same case."""
    for step in plan:
        on_step(step)
        if step.label in results.failures:
            continue
        # It changes the figures: a core that others keep awake answers a lone round trip three times sooner.
        results.note_busy(await asyncio.to_thread(psutil.cpu_percent, 0.5))
        try:
            await _run_step(servers, step, results)
        except Exception as error:
            results.failures[step.label] = f"{type(error).__name__}: {error}"


async def _run_step(servers: Servers, step: Step, results: Results) -> None:
    await servers.clean()
    peer = step.engine(servers)
    await peer.open()
    try:
        async with asyncio.timeout(step.case.time_limit):
            results.add(step.case.name, peer.name, await step.case.run(peer))
    finally:
        await peer.close()
