"""Strikes by chance for a given time, then lets everything end and judges every job."""

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.faults.bench.faults import FAULTS, Fault
from tests.faults.bench.ground import Ground, ground
from tests.faults.bench.recovery import open_jobs, until_recovered
from tests.faults.bench.report import Report
from tests.faults.bench.stream import Stream
from tests.faults.history import Promise, Violation, violations

_LAST_CHANCE = 120.0
_MAX_CRASHES = 3

type Tell = Callable[[str], None]


async def run_campaign(report: Report, *, stopping: asyncio.Event, tell: Tell) -> None:
    """Fill `report`. `stopping` ends the faults early; `tell` hears what happens now."""
    with TemporaryDirectory(prefix="letuin-faults-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        tell("starting the servers")
        await _prepare(folder)
        async with ground(folder / "data", lease=report.lease, workers=report.workers, seed=report.seed) as struck:
            stream = Stream(struck, folder / "marks", report.jobs_per_second)
            submitting = asyncio.create_task(stream.run())
            try:
                await _strike_again_and_again(struck, stream, report, stopping, tell)
            finally:
                submitting.cancel()
                await asyncio.wait([submitting])
            tell("the last jobs end")
            await stream.settle()
            with suppress(AssertionError):  # the judgement names them
                await struck.arena.until_ended(_LAST_CHANCE)
            tell("judging every job")
            report.counts = stream.counts
            report.writes_refused = struck.refused_writes
            await _judge(struck, report)


async def _strike_again_and_again(
    struck: Ground, stream: Stream, report: Report, stopping: asyncio.Event, tell: Tell
) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + report.seconds
    calm_since = loop.time()
    for fault in _by_chance(struck):
        tell("a quiet moment")
        quiet = struck.chance.uniform(0.5, 2)
        if fault.needs_calm:
            quiet = max(quiet, calm_since + report.lease + 2 - loop.time())
            if loop.time() + quiet >= end:
                continue
        with suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), min(quiet, end - loop.time()))
        if stopping.is_set() or loop.time() >= end:
            return
        tell(fault.name)
        report.note(fault.name, await _strike(struck, stream, fault))
        if fault.disturbs_leases:
            calm_since = loop.time()


async def _strike(struck: Ground, stream: Stream, fault: Fault) -> float:
    met = await open_jobs(struck)
    struck_at = asyncio.get_running_loop().time()
    heal = await fault.strike(struck)
    healing = asyncio.create_task(heal())
    seconds = await until_recovered(struck, stream, met, struck_at)
    await healing
    return seconds


def _by_chance(struck: Ground) -> Iterator[Fault]:
    """Every fault once, in an order of chance, then all again."""
    while True:
        yield from struck.chance.sample(FAULTS, len(FAULTS))


async def _judge(struck: Ground, report: Report) -> None:
    stories = await struck.arena.stories()
    found = {story.job_id for story in stories}
    report.violations = [
        Violation(job.id, Promise.LOST, "its row is gone") for job in struck.arena.accepted if job.id not in found
    ]
    for story in stories:
        report.statuses[str(story.status)] += 1
        report.runs += story.claims
        report.violations += violations(story, max_crashes=_MAX_CRASHES, whole_events=False)
        report.crashes += story.crashes


async def _prepare(folder: Path) -> None:
    """A migrated database in a process of its own, whose servers are gone again."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.faults.prepare", str(folder / "data")),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=Path(__file__).parents[3],
    )
    output, _ = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"the servers could not be prepared:\n{output.decode(errors='replace')}")
