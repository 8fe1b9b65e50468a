"""Workers of different queues and releases that come and go while jobs run."""

import asyncio

import pytest

from common.jobs.system_echo import SystemEchoPayload, system_echo
from common.jobs.system_sleep import SystemSleepPayload, system_sleep
from common.repository.worker import WorkerRepository
from tests.faults.arena import Arena, eventually, outcomes
from tests.faults.fleet import WorkerProcess
from tests.faults.kinds.lanes import LanePayload, lane_a, lane_b, lane_c
from tests.faults.kinds.mark import MarkPayload, mark

pytestmark = pytest.mark.faults

# Half a minute goes by for the jobs that a worker of another release has put back.
_TIME_PASSES = """UPDATE jobs SET run_at = now(), rank_at = now(), next_dispatch_at = now()
                  WHERE status = 'queued' AND waiting = 'unknown_kind' AND run_at > now()"""


async def test_workers_of_many_queues_join_and_leave_under_load(arena: Arena) -> None:
    """Some are drained, some killed, some join: every job of every queue ends once."""
    lanes = (lane_a, lane_b, lane_c)

    async def submit_wave() -> None:
        waves = (arena.submit_many(lane, LanePayload(), 34) for lane in lanes)
        await asyncio.gather(*waves)

    async def start(*queues: str) -> WorkerProcess:
        return await arena.fleet.start_one(WORKER_QUEUES=",".join(queues), WORKER_CONCURRENCY="10")

    first, second = await asyncio.gather(start("lane-a", "lane-b"), start("lane-b", "lane-c"))
    await submit_wave()
    third, _ = await asyncio.gather(start("lane-c", "lane-a", "lane-b"), submit_wave())
    await asyncio.gather(first.drain(), submit_wave())
    fourth, *_ = await asyncio.gather(start("lane-a"), second.kill(), submit_wave())
    await asyncio.gather(third.drain(), start("lane-b", "lane-c"), submit_wave())
    await arena.until_ended(limit=90)
    stories = await arena.check(whole_events=False)
    assert outcomes(stories) == {"succeeded": 510}
    assert {story.failures for story in stories} == {0}, "comings and goings use up no attempt"
    assert sum(story.crashes for story in stories) <= 10, "only what the killed one ran"
    assert fourth.is_alive


async def test_old_and_new_code_side_by_side(arena: Arena) -> None:
    """A kind that one side does not know is put back, not failed, until the other side runs it."""
    old = await arena.fleet.start_one(OLDER_RELEASE="1")
    newer = await arena.submit_many(mark, MarkPayload(path="/dev/null"), 10)
    both = await arena.submit_many(system_echo, SystemEchoPayload(message="both know it"), 10)
    await arena.until_ended(jobs=both)
    await arena.until("status = 'queued' AND waiting = 'unknown_kind' AND attempt = 1", len(newer))
    await arena.fleet.start_one()
    newer += await arena.submit_many(mark, MarkPayload(path="/dev/null"), 20)

    async def have_ended() -> bool:
        async with arena.connect() as db:
            await db.execute(_TIME_PASSES)
        return await arena.count("finished_at IS NULL") == 0

    await eventually(have_ended, 60)
    assert await old.drain() == 0
    stories = await arena.check()
    assert outcomes(stories) == {"succeeded": 40}
    assert {(story.failures, story.crashes) for story in stories} == {(0, 0)}


async def test_operators_steer_a_worker_process(arena: Arena) -> None:
    """Paused, drained, resized and opened again, as heartbeats bring it, while the process lives on."""
    worker = await arena.fleet.start_one(WORKER_CONCURRENCY="2", WORKER_DRAIN_GRACE="0.2")

    async def steer(**change: bool | int) -> None:
        async with arena.container.sessions().begin() as db:
            assert await WorkerRepository().steer(db, worker.id, **change)  # type: ignore[arg-type]  # any of them

    await arena.submit_many(system_sleep, SystemSleepPayload(seconds=60), 4)
    await arena.until("status = 'running'", 2)
    await steer(concurrency=3)
    await arena.until("status = 'running'", 3)
    await steer(is_draining=True)
    await asyncio.sleep(1)  # two heartbeats
    assert await arena.count("status = 'running'") == 3, "paused: what runs goes on"
    await steer(hands_back=True)
    await arena.until("status = 'queued'", 4)
    await steer(is_draining=False, hands_back=False, concurrency=4)
    await arena.until("status = 'running'", 4)
    for job in arena.accepted:
        await arena.container.queue().cancel(job.id, arena.owner)
    await arena.until_ended()
    assert worker.is_alive
    stories = await arena.check()
    assert {(story.failures, story.crashes) for story in stories} == {(0, 0)}
