"""The moments at which two sides meet, driven again and again until each order has happened."""

import asyncio
import random
import signal
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.exc import SQLAlchemyError

from common.database.model import Job
from common.errors import ConflictError
from common.jobs.system_echo import SystemEchoPayload, system_echo
from common.jobs.system_sleep import SystemSleepPayload, system_sleep
from common.queue.client import SubmitOptions
from common.queue.status import JobStatus
from tests.faults.arena import Arena, outcomes
from tests.faults.kinds.mark import MarkPayload, mark
from tests.faults.unsure import Unsure
from tests.fixtures.workers import worker_settings
from worker.container import WorkerContainer

pytestmark = pytest.mark.faults

HELLO = SystemEchoPayload(message="hello")


@pytest.mark.parametrize(
    "jobs", [pytest.param(300, id="300 jobs"), pytest.param(10_000, id="10000 jobs", marks=pytest.mark.soak)]
)
async def test_a_database_that_acts_and_then_says_it_broke(
    arena: Arena, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: int
) -> None:
    """Windows: reply of submit, claim, heartbeat, registration and end lost, each after it happened."""
    unsure = Unsure(0.05)
    unsure.install(monkeypatch.setattr)
    await arena.fleet.start(2, UNSURE_SHARE="0.05", WORKER_CONCURRENCY="4")

    async def submit() -> bool:
        try:
            await arena.submit(mark, MarkPayload(path=str(tmp_path / "runs"), seconds=0.01))
        except SQLAlchemyError:
            return False
        return True

    for _ in range(jobs // 20):
        await asyncio.gather(*(submit() for _ in range(20)))
    assert unsure.lied["insert"] > 0
    await arena.until_ended(60 + jobs / 50)
    stories = await arena.check()
    assert outcomes(stories) == {"succeeded": len(stories)}
    assert {(story.failures, story.crashes) for story in stories} == {(0, 0)}
    assert any(story.claims > 1 for story in stories), "no claim's answer was lost, so nothing was tried"


async def test_cancel_meets_claim(arena: Arena) -> None:
    """Window: cancel against claim: either it never starts, or it stops."""
    await arena.fleet.start(2)
    answers: Counter[str] = Counter()
    for _ in range(5):
        waits = [n / 1000 for n in range(20)]
        answers.update(await asyncio.gather(*(submit_and_cancel(arena, seconds=30, wait=w) for w in waits)))
    await arena.until_ended(90)
    stories = await arena.check()
    assert {"cancelled", "requested"}.issuperset(answers)  # a busy machine may claim all of them first
    assert outcomes(stories) == {"cancelled": 100}


async def test_cancel_meets_finish(arena: Arena) -> None:
    """Windows: cancel against finish; cancel while the end is being written."""
    await arena.fleet.start(2, WORKER_CONCURRENCY="100")
    answers: Counter[str] = Counter()
    for _ in range(5):
        waits = [0.04 + n / 1000 for n in range(25)]
        answers.update(await asyncio.gather(*(submit_and_cancel(arena, seconds=0.05, wait=w) for w in waits)))
    await arena.until_ended(90)
    stories = await arena.check()
    assert answers["conflict"] == outcomes(stories)["succeeded"]
    assert answers["cancelled"] + answers["requested"] == outcomes(stories)["cancelled"]


async def test_cancel_meets_drain(arena: Arena) -> None:
    """Window: the job goes back to its queue while its owner cancels it; no answer says it has ended as queued."""
    moments = random.Random(5)
    for _ in range(3):
        worker = await arena.fleet.start_one(WORKER_DRAIN_GRACE="0")
        jobs = await arena.submit_many(system_sleep, SystemSleepPayload(seconds=30), 20)
        await arena.until("status = 'running'", 20)
        draining = asyncio.create_task(worker.drain())
        answers = await asyncio.gather(*(cancel_after(arena, job, moments.uniform(0, 0.1)) for job in jobs))
        assert {"cancelled", "requested"}.issuperset(answers)
        await draining
    await arena.fleet.start_one()
    await arena.until_ended(90)
    assert outcomes(await arena.check()) == {"cancelled": 60}


async def test_cancel_meets_the_reaper(arena: Arena) -> None:
    """Window: cancel against reaper: what was cancelled while its worker was dead does not run again."""
    moments = random.Random(6)
    jobs = await arena.submit_many(system_sleep, SystemSleepPayload(seconds=2), 60)
    victim = await arena.fleet.start_one(WORKER_CONCURRENCY="60")
    await arena.until("status = 'running'", 60)
    await victim.kill()
    await arena.fleet.start_one(WORKER_CONCURRENCY="60")
    answers = await asyncio.gather(*(cancel_after(arena, job, moments.uniform(0, 2.5)) for job in jobs[:40]))
    await arena.until_ended(90)
    stories = {story.job_id: story for story in await arena.check()}
    assert set(answers) <= {"cancelled", "requested", "conflict"}
    for job, answer in zip(jobs, answers, strict=False):
        assert stories[job.id].status == ("succeeded" if answer == "conflict" else "cancelled")
    assert answers.count("conflict") < 20
    assert {stories[job.id].status for job in jobs[40:]} == {JobStatus.SUCCEEDED}


async def test_a_cancel_while_a_retry_waits_is_the_last_event(arena: Arena, tmp_path: Path) -> None:
    """Window: cancel between two attempts; whoever listens hears of it."""
    await arena.fleet.start_one()
    job = await arena.submit(mark, MarkPayload(path=str(tmp_path / "runs"), failures=5))
    await arena.until("status = 'queued' AND failures >= 1")
    await arena.container.queue().cancel(job.id, arena.owner)
    await arena.until_ended()
    await arena.check()


@pytest.mark.soak
async def test_an_owners_retry_is_safe_from_the_attempt_that_was_given_up(arena: Arena, tmp_path: Path) -> None:
    """Window: a worker sleeps past its lease, the job is cancelled and then queued again by its owner; it wakes."""
    zombie = await arena.fleet.start_one()
    payload = MarkPayload(path=str(tmp_path / "runs"), seconds=2)
    job = await arena.submit(mark, payload)
    await arena.until("status = 'running'")
    zombie.signal(signal.SIGSTOP)
    cancelled = await arena.container.queue().cancel(job.id, arena.owner)
    assert cancelled.outcome == "requested"
    await arena.fleet.start_one()
    await arena.until("status = 'cancelled'")
    await arena.container.queue().retry(job.id, arena.owner)
    await arena.until("status = 'running' AND attempt = 2")
    zombie.signal(signal.SIGCONT)
    await arena.until_ended()
    (story,) = await arena.check(whole_events=False)
    assert (story.status, story.claims, story.result_attempt) == (JobStatus.SUCCEEDED, 2, 2)


@pytest.mark.soak
async def test_everything_dies_at_once(arena: Arena, tmp_path: Path) -> None:
    """Window: the machine is gone and comes back, its parts in any order."""
    await arena.fleet.start(2)
    await arena.submit_many(mark, MarkPayload(path=str(tmp_path / "runs"), seconds=0.5), 200)
    await arena.until("status = 'succeeded'", 20)
    workers = [worker.kill() for worker in arena.fleet.workers]
    await asyncio.gather(arena.kill_server("redis"), arena.kill_server("postgres"), *workers)
    await arena.fleet.start(2)
    await arena.until_ended(90)
    stories = await arena.check(whole_events=False)
    assert outcomes(stories) == {"succeeded": 200}
    assert sum(story.claims - 1 for story in stories) <= 40


async def test_two_reconcilers_at_once_move_each_job_once(arena: Arena) -> None:
    """Window: two reapers and two dispatchers; guards and skipped locks, no leader needed."""
    await arena.submit_many(system_sleep, SystemSleepPayload(seconds=2), 100)
    victim = await arena.fleet.start_one(WORKER_CONCURRENCY="100")
    await arena.until("status = 'running'", 100)
    await victim.kill()
    options = SubmitOptions(expires_in=timedelta(seconds=0.1))
    await arena.submit_many(system_echo, HELLO, 100, options)
    async with arena.connect() as db:
        await db.execute("UPDATE jobs SET next_dispatch_at = now() WHERE status = 'queued'")
        await db.execute("UPDATE workers SET lease_expires_at = now()")
        await asyncio.sleep(0.2)
    settings = worker_settings(arena.container.settings())
    containers = [WorkerContainer(settings=settings) for _ in range(2)]
    try:
        await asyncio.gather(*(c.reconciler().tick(may_end_leases=True) for c in containers for _ in range(3)))
    finally:
        for container in containers:
            await container.event_writer().drain(5)
            await container.redis().aclose()
            await container.direct().close()
            await container.engine().dispose()
    assert await arena.count("status = 'expired'") == 100
    assert await arena.count("status = 'queued' AND crashes = 1") == 100
    await arena.fleet.start(2)
    await arena.until_ended(90)
    assert outcomes(await arena.check()) == {"succeeded": 100, "expired": 100}


async def submit_and_cancel(arena: Arena, *, seconds: float, wait: float) -> str:
    job = await arena.submit(system_sleep, SystemSleepPayload(seconds=seconds))
    return await cancel_after(arena, job, wait)


async def cancel_after(arena: Arena, job: Job, wait: float) -> str:
    """What the cancel was answered; `conflict` must mean that the job had ended in another way."""
    await asyncio.sleep(wait)
    try:
        return (await arena.container.queue().cancel(job.id, arena.owner)).outcome
    except ConflictError as error:
        return "conflict" if "has ended as succeeded" in error.message else error.message
