"""Workers that are killed, stopped, blocked or drained: every job ends once, and only what must run again does."""

import asyncio
import random
import signal
from pathlib import Path

import pytest

from common.jobs.system_echo import SystemEchoPayload, system_echo
from common.jobs.system_sleep import SystemSleepPayload, system_sleep
from common.queue.status import AttemptOutcome, JobStatus
from tests.faults.arena import Arena, outcomes
from tests.faults.fleet import QUICK
from tests.faults.kinds.block import BlockPayload, block
from tests.faults.kinds.mark import MarkPayload, mark
from tests.faults.kinds.poison import PoisonPayload, poison
from tests.fixtures.workers import running_worker

pytestmark = pytest.mark.faults

DEFAULT_LEASE = {"LEASE_DURATION": "15", "HEARTBEAT_INTERVAL": "5"}


async def kill_at_random(arena: Arena, kills: int, seed: int) -> None:
    """SIGKILL one of two workers again and again at random moments, each replaced at once."""
    moments = random.Random(seed)
    for _ in range(kills):
        victim = moments.choice([worker for worker in arena.fleet.workers if worker.is_alive])
        await asyncio.sleep(moments.uniform(0.1, 0.8))
        await victim.kill()
        await arena.fleet.start_one(WORKER_CONCURRENCY="10")


@pytest.mark.parametrize(
    ("jobs", "kills"),
    [pytest.param(500, 2, id="500 jobs"), pytest.param(10_000, 40, id="10000 jobs", marks=pytest.mark.soak)],
)
async def test_kill_9_loses_no_job_and_repeats_only_what_ran(
    arena: Arena, tmp_path: Path, jobs: int, kills: int
) -> None:
    """Windows: worker dies after its claim; dies before its end is written; ended but dies before its event."""
    await arena.fleet.start(2, WORKER_CONCURRENCY="10")
    payload = MarkPayload(path=str(tmp_path / "runs"), seconds=0.02)
    await asyncio.gather(arena.submit_many(mark, payload, jobs), kill_at_random(arena, kills, seed=7))
    await arena.until_ended(limit=90 + jobs / 50)
    stories = await arena.check(max_crashes=3, whole_events=False)
    assert outcomes(stories) == {"succeeded": jobs}
    assert sum(story.claims - 1 for story in stories) <= 10 * kills
    assert {story.failures for story in stories} == {0}
    ran = (tmp_path / "runs").read_text("ascii").splitlines()
    assert len({line.split()[0] for line in ran}) == jobs
    assert len(ran) <= sum(story.claims for story in stories)


@pytest.mark.parametrize(
    "lease",
    [pytest.param({}, id="short lease"), pytest.param(DEFAULT_LEASE, id="default lease", marks=pytest.mark.soak)],
)
async def test_a_worker_stopped_past_its_lease_writes_nothing_when_it_wakes(
    arena: Arena, lease: dict[str, str], tmp_path: Path
) -> None:
    """Window: worker paused past its lease while another runs its job."""
    length = float((QUICK | lease)["LEASE_DURATION"])
    frozen, other = await arena.fleet.start(2, **lease, WORKER_CONCURRENCY="3")
    payload = MarkPayload(path=str(tmp_path / "runs"), seconds=length / 2)
    await arena.submit_many(mark, payload, 6)
    await arena.until("status = 'running'", 6)
    frozen.signal(signal.SIGSTOP)
    await arena.until("attempt = 2 AND status = 'running'", 3, limit=length * 2 + 5)
    frozen.signal(signal.SIGCONT)
    await frozen.printed("lease was taken over")
    await arena.until_ended()
    stories = await arena.check()
    assert outcomes(stories) == {"succeeded": 6}
    assert sorted(story.claims for story in stories) == [1, 1, 1, 2, 2, 2]
    again = [story for story in stories if story.claims == 2]
    assert {(e.attempt, e.worker_id, e.outcome) for story in again for e in story.endings} == {
        (1, frozen.id, AttemptOutcome.CRASHED),
        (2, other.id, AttemptOutcome.SUCCEEDED),
    }


@pytest.mark.soak
async def test_a_worker_stopped_for_half_its_lease_keeps_its_jobs(arena: Arena, tmp_path: Path) -> None:
    """Windows: heartbeat and reaper meet; nothing is taken over while the lease lives."""
    frozen = await arena.fleet.start_one()
    await arena.fleet.start_one()
    await arena.submit_many(mark, MarkPayload(path=str(tmp_path / "runs"), seconds=4), 8)
    await arena.until("status = 'running'", 8)
    for _ in range(2):
        frozen.signal(signal.SIGSTOP)
        await asyncio.sleep(1.5)
        frozen.signal(signal.SIGCONT)
        await asyncio.sleep(0.6)
    await arena.until_ended()
    assert {story.claims for story in await arena.check()} == {1}


@pytest.mark.parametrize(
    "computes", [pytest.param(False, id="waiting", marks=pytest.mark.soak), pytest.param(True, id="computing")]
)
async def test_a_handler_that_blocks_the_loop_for_two_leases_loses_nothing(arena: Arena, computes: bool) -> None:
    """Window: no false takeover while the process lives, because the lease is kept by another thread."""
    await arena.fleet.start(2, LEASE_DURATION="1.5", HEARTBEAT_INTERVAL="0.4")
    await arena.submit(block, BlockPayload(seconds=3, computes=computes))
    await arena.until_ended()
    (story,) = await arena.check()
    assert (story.status, story.claims) == (JobStatus.SUCCEEDED, 1)


async def test_a_job_that_kills_its_worker_is_given_up_and_the_others_go_on(arena: Arena) -> None:
    """Window: crashes have a budget of their own."""
    bad = await arena.submit(poison, PoisonPayload())
    good = await arena.submit_many(system_echo, SystemEchoPayload(message="hi"), 200)

    await arena.fleet.start_one(WORKER_QUEUES="llm")  # takes dead leases back and runs none of these
    for _ in range(3):
        victim = await arena.fleet.start_one()
        assert await victim.ended() == -signal.SIGKILL
        async with arena.connect() as db:  # as a supervisor does that saw its child die
            await db.execute("UPDATE workers SET stopped_at = now() WHERE id = $1", victim.id)
    await arena.fleet.start_one()
    await arena.until_ended()
    stories = {story.job_id: story for story in await arena.check(whole_events=False)}
    assert (stories[bad.id].status, stories[bad.id].crashes, stories[bad.id].failures) == (JobStatus.FAILED, 3, 0)
    assert {stories[job.id].status for job in good} == {JobStatus.SUCCEEDED}
    async with arena.connect() as db:
        assert await db.fetchval("SELECT error ->> 'code' FROM jobs WHERE id = $1", bad.id) == "poison"


async def test_ten_drains_of_a_long_job_use_no_budget(arena: Arena) -> None:
    """Window: a drain hands back what still runs, after its task has ended."""
    await arena.submit(system_sleep, SystemSleepPayload(seconds=2))
    settings = arena.container.settings()
    for number in range(1, 11):
        async with running_worker(settings, worker_drain_grace=0, worker_queues="default"):
            await arena.until(f"status = 'running' AND attempt = {number}")
    async with running_worker(settings, worker_queues="default"):
        await arena.until_ended()
        (story,) = await arena.check()
    assert (story.status, story.claims, story.failures, story.crashes) == (JobStatus.SUCCEEDED, 11, 0, 0)
