"""Where the time of one job goes, stage by stage: `python -m tests.benchmark.stages`."""

import asyncio
import json
import random
import sys
from collections import Counter
from collections.abc import Callable, Coroutine
from functools import wraps
from pathlib import Path
from statistics import median
from time import monotonic
from typing import Any

import uvloop

from common.database.direct import DirectPool
from common.events import EventLog
from common.queue.announcer import Announcer
from common.queue.hints import HintQueue
from common.repository.attempt import AttemptRepository
from tests.benchmark import letuin_worker
from tests.benchmark.peers.letuin import Letuin
from tests.benchmark.servers import Servers, running_servers
from worker.runner import Runner
from worker.signals import SignalListener

_JOBS = 300
_FOUND_IN = 0.3  # of all jobs; rarer stages are upkeep's
Mark = tuple[str, float]

_SUBMITTER: tuple[tuple[type, str, str], ...] = (
    (DirectPool, "run", "insert"),
    (Announcer, "_announce", "announce"),
)
_WORKER: tuple[tuple[type, str, str], ...] = (
    (SignalListener, "_handle", "wake-up"),
    (HintQueue, "take", "take hint"),
    (AttemptRepository, "claim", "claim"),
    (Runner, "run", "handler"),
    (AttemptRepository, "finish", "finish"),
    (EventLog, "append", "append event"),
)


def main() -> None:
    """With a folder as first argument it is the worker that leaves its marks there."""
    if len(sys.argv) > 1:
        _work(Path(sys.argv.pop(1)))
    else:
        _print(uvloop.run(_measure()))


def _watch(stages: tuple[tuple[type, str, str], ...], marks: list[Mark]) -> None:
    """Note when each of these methods begins and ends, on the machine's one monotonic clock."""
    for owner, name, stage in stages:
        method = getattr(owner, name)
        is_async = asyncio.iscoroutinefunction(method)
        setattr(owner, name, (_noting_async if is_async else _noting)(method, stage, marks))


def _noting_async(
    method: Callable[..., Coroutine[Any, Any, Any]], stage: str, marks: list[Mark]
) -> Callable[..., Coroutine[Any, Any, Any]]:
    @wraps(method)
    async def noted(*args: Any, **kwargs: Any) -> Any:
        marks.append((stage, monotonic()))
        try:
            return await method(*args, **kwargs)
        finally:
            marks.append((f"{stage} done", monotonic()))

    return noted


def _noting(method: Callable[..., Any], stage: str, marks: list[Mark]) -> Callable[..., Any]:
    @wraps(method)
    def noted(*args: Any, **kwargs: Any) -> Any:
        marks.append((stage, monotonic()))
        return method(*args, **kwargs)

    return noted


def _work(folder: Path) -> None:
    marks: list[Mark] = []
    _watch(_WORKER, marks)
    try:
        letuin_worker.main()
    finally:
        (folder / "marks.json").write_text(json.dumps(marks))


async def _measure() -> dict[str, list[float]]:
    marks: list[Mark] = []
    _watch(_SUBMITTER, marks)
    async with running_servers() as servers:
        await servers.clean()
        spans = await _run_jobs(servers, marks)
        marks += [(stage, at) for stage, at in json.loads((servers.folder / "marks.json").read_text())]
    stages: dict[str, list[float]] = {}
    for begun, ended in spans:
        seen: Counter[str] = Counter()
        for stage, at in sorted((mark for mark in marks if begun <= mark[1] <= ended), key=lambda mark: mark[1]):
            seen[stage] += 1
            stages.setdefault(f"{stage} ({seen[stage]})" if seen[stage] > 1 else stage, []).append(at - begun)
        stages.setdefault("result at the caller", []).append(ended - begun)
    return {stage: times for stage, times in stages.items() if len(times) > len(spans) * _FOUND_IN}


async def _run_jobs(servers: Servers, marks: list[Mark]) -> list[tuple[float, float]]:
    peer = Letuin(servers)
    await peer.open()
    await peer.expect_results()
    command = [sys.executable, "-m", "tests.benchmark.stages", str(servers.folder), *list(peer.command(20))[3:]]
    worker = await asyncio.create_subprocess_exec(*command, env=peer.environment(20))
    try:
        for _ in range(5):
            await peer.result(await peer.submit("stamp"))
        spans = []
        for _ in range(_JOBS):
            await asyncio.sleep(random.uniform(0.01, 0.04))
            begun = monotonic()
            await peer.result(await peer.submit("stamp"))
            spans.append((begun, monotonic()))
        return spans
    finally:
        worker.terminate()
        await worker.wait()
        await peer.close()


def _print(stages: dict[str, list[float]]) -> None:
    sys.stdout.write(f"{'':24}{'a tenth within':>16}{'median':>10}   milliseconds after the submit began\n")
    for stage, times in sorted(stages.items(), key=lambda item: median(item[1])):
        ordered = sorted(times)
        sys.stdout.write(f"{stage:24}{ordered[len(ordered) // 10] * 1e3:16.2f}{median(ordered) * 1e3:10.2f}\n")


if __name__ == "__main__":
    main()
