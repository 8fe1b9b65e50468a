"""Networks that cut, slow down and come back, between workers, producer and both servers."""

import asyncio
from pathlib import Path

import pytest

from common.queue.status import JobStatus
from tests.faults.arena import outcomes
from tests.faults.bench.ground import Ground, ground
from tests.faults.bench.stream import Stream

pytestmark = pytest.mark.faults


async def submit_steadily(storm: Ground, stream: Stream, count: int, seconds: float) -> None:
    """Submit at an even pace, and wait for every answer."""

    async def submit(number: int) -> None:
        await asyncio.sleep(number / count * seconds)
        await stream.submit(seconds=0.02)

    await asyncio.gather(*(submit(number) for number in range(count)))


async def test_connections_that_are_cut_again_and_again(data_dir: Path, tmp_path: Path) -> None:
    """Windows: an answer is lost in the middle of anything: submit, hint, claim, heartbeat, end, event."""
    async with ground(data_dir, lease=3, workers=2, seed=4) as storm:
        stream = Stream(storm, tmp_path / "runs", 100)
        submitting = asyncio.create_task(submit_steadily(storm, stream, 300, 3))
        while not submitting.done():
            storm.chance.choice((storm.redis, storm.postgres)).reset()
            await asyncio.sleep(storm.chance.uniform(0.05, 0.4))
        await submitting
        await storm.arena.until_ended(90)
        stories = await storm.arena.check(whole_events=False)
        assert stream.counts["accepted"] == len(stories) > 150
        assert outcomes(stories) == {"succeeded": len(stories)}
        assert {(story.failures, story.crashes) for story in stories} == {(0, 0)}
        assert all(worker.is_alive for worker in storm.arena.fleet.workers)


@pytest.mark.soak
async def test_a_slow_network_takes_no_lease_and_repeats_nothing(data_dir: Path, tmp_path: Path) -> None:
    """Window: every packet takes 50 ms, to and fro; commands keep their limits."""
    async with ground(data_dir, lease=3, workers=2, seed=4) as storm:
        for proxy in (storm.redis, storm.postgres):
            proxy.faults.delay = 0.05
        stream = Stream(storm, tmp_path / "runs", 100)
        await submit_steadily(storm, stream, 100, 1)
        await storm.arena.until_ended(90)
        stories = await storm.arena.check()
        assert {(story.status, story.claims) for story in stories} == {(JobStatus.SUCCEEDED, 1)}
        assert stream.counts == {"accepted": 100}
