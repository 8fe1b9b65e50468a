"""Redis emptied, killed, gone or full of rubbish: accepted jobs run all the same, and none runs twice."""

import asyncio
import random
import signal
from pathlib import Path

import pytest
from redis.asyncio import Redis

from common.ids import new_id
from common.jobs.system_echo import SystemEchoPayload, system_echo
from common.queue.hints import Hint
from tests.faults.arena import Arena, arena, eventually, outcomes
from tests.faults.kinds.mark import MarkPayload, mark
from tests.faults.proxy import TcpProxy

pytestmark = pytest.mark.faults

HELLO = SystemEchoPayload(message="hello")


@pytest.mark.parametrize(
    ("jobs", "limit"),
    [pytest.param(1000, 90, id="1000 jobs"), pytest.param(10_000, 120, id="10000 jobs", marks=pytest.mark.soak)],
)
async def test_flushall_in_the_middle_loses_nothing_and_repeats_nothing(arena: Arena, jobs: int, limit: int) -> None:
    """Window: hint lost in Redis, found by the broker epoch."""
    await arena.submit_many(system_echo, HELLO, jobs)
    await arena.fleet.start(2, WORKER_CONCURRENCY="20")
    await arena.until("status = 'succeeded'", jobs // 10)
    await arena.container.redis().flushall()
    await arena.until_ended(limit)
    stories = await arena.check(whole_events=False)
    assert outcomes(stories) == {"succeeded": jobs}
    assert {story.claims for story in stories} == {1}


async def test_valkey_killed_and_restarted_under_load(arena: Arena) -> None:
    """Windows: published but the answer was lost; hint lost with the last second of the append-only file."""
    await arena.fleet.start(2)
    submitting = asyncio.create_task(submit_steadily(arena, 600, per_second=150))
    for _ in range(2):
        await asyncio.sleep(1)
        await arena.kill_server("redis")
    await submitting
    await arena.until_ended(90)
    stories = await arena.check(whole_events=False)
    assert outcomes(stories) == {"succeeded": 600}
    assert {story.claims for story in stories} == {1}
    assert all(worker.is_alive for worker in arena.fleet.workers)


async def test_without_redis_jobs_are_accepted_run_and_finished(data_dir: Path) -> None:
    """Windows: the process dies before it publishes; the hint never comes; PostgreSQL alone is enough."""
    async with TcpProxy(1) as proxy, arena(data_dir, redis_url=f"redis://127.0.0.1:{proxy.port}/0") as cut_off:
        proxy.faults.refuses = True
        await cut_off.fleet.start(2, REDIS_URL=f"redis://127.0.0.1:{proxy.port}/0")
        jobs = await cut_off.submit_many(system_echo, HELLO, 200)
        await cut_off.until_ended(90)
        stories = await cut_off.check(whole_events=False)
    assert outcomes(stories) == {"succeeded": len(jobs)}
    assert {story.claims for story in stories} == {1}


@pytest.mark.soak
async def test_a_silent_redis_delays_no_submission_for_long(data_dir: Path) -> None:
    """Window: connections stay open and nobody answers; every command has its limit."""
    async with arena(data_dir) as servers:
        port = int(servers.stack.environment()["REDIS_URL"].rpartition(":")[2].partition("/")[0])
        async with TcpProxy(port) as proxy:
            url = f"redis://127.0.0.1:{proxy.port}/0"
            through = Redis.from_url(url)
            await through.ping()
            await servers.fleet.start(1, REDIS_URL=url)
            proxy.silence()
            started = asyncio.get_running_loop().time()
            await servers.submit(system_echo, HELLO)
            assert asyncio.get_running_loop().time() - started < 1
            await servers.until_ended(90)
            proxy.speak()
            await through.aclose()
            await servers.check()


async def test_one_hint_delivered_many_times_to_four_workers_runs_once(arena: Arena, tmp_path: Path) -> None:
    """Windows: two workers claim; second hint after a lost answer; late hint for a finished job."""
    await arena.fleet.start(4)
    payload = MarkPayload(path=str(tmp_path / "runs"), seconds=0.3)
    jobs = await arena.submit_many(mark, payload, 5)
    hints = [Hint(job.id, arena.owner.user_id, job.kind, job.queue) for job in jobs]
    for _ in range(100):
        await arena.container.hints().enqueue(hints)
        await asyncio.sleep(0.01)
    await arena.until_ended()
    assert {story.claims for story in await arena.check()} == {1}
    assert len((tmp_path / "runs").read_text("ascii").splitlines()) == 5


async def test_rubbish_in_redis_stops_no_worker_and_no_job(arena: Arena) -> None:
    """Window: entries that nobody of us wrote, of every shape and type."""
    redis, keys, rubbish = arena.container.redis(), arena.container.keys(), random.Random(11)
    worker = await arena.fleet.start_one()
    for number in range(60):
        raw = rubbish.randbytes(rubbish.randint(0, 60))
        name = rubbish.choice([str(rubbish.random()), "0" * 36, "-" * 36, "A" * 8 + "-0000" * 3 + "-" + "F" * 12])
        member = rubbish.choice([raw, name.encode()])
        score = rubbish.choice([0, -1e300, 1e300, float("-inf"), 1.5])
        await redis.zadd(keys.queue("default"), {member: score})
        await redis.set(keys.hint(name), raw)
        if number % 20 == 0:
            await arena.submit_many(system_echo, HELLO, 5)
    for wrong in (b"a string", None):
        await redis.delete(keys.queue("default"))
        if wrong is not None:
            await redis.set(keys.queue("default"), wrong)
        else:
            await redis.rpush(keys.queue("default"), "a list")  # type: ignore[misc]
        await arena.submit_many(system_echo, HELLO, 10)
        await arena.until_ended(90)
    assert worker.is_alive
    stories = await arena.check(whole_events=False)
    assert {story.claims for story in stories} == {1}


@pytest.mark.soak
async def test_what_only_looks_like_a_job_id_is_put_aside_for_good(arena: Arena) -> None:
    """Window: an entry that reads as a UUID but is not written as we write one, and so could never be settled."""
    redis, keys = arena.container.redis(), arena.container.keys()
    strange = [str(new_id()).upper(), "-" * 4 + new_id().hex, "{" + new_id().hex + "}--"]
    await redis.zadd(keys.queue("default"), dict.fromkeys(strange, 0))
    await arena.fleet.start_one(HINT_REDELIVERY="0.2")

    async def all_aside() -> bool:
        aside = await redis.lrange(keys.quarantine, 0, -1)  # type: ignore[misc]
        return {raw.decode() for raw in aside} == set(strange)

    await eventually(all_aside)
    await asyncio.sleep(0.5)
    assert await redis.llen(keys.quarantine) == len(strange)  # type: ignore[misc]
    assert await redis.exists(*keys.queue_keys("default")) == 0


async def test_a_key_of_the_wrong_type_hurts_only_itself(arena: Arena) -> None:
    """Window: a key is somebody else's; the jobs and the events of others do not wait for it."""
    redis, keys = arena.container.redis(), arena.container.keys()
    first = await arena.submit(system_echo, HELLO)
    for name in (keys.quarantine, keys.broker_epoch, keys.lock("reconciler"), keys.events(first.id)):
        await redis.delete(name)
        await redis.rpush(name, "a list")  # type: ignore[misc]
    await redis.zadd(keys.queue("default"), {"not a job": 0})
    await arena.fleet.start_one()
    await arena.submit_many(system_echo, HELLO, 20)
    await arena.until_ended(90)
    arena.accepted.remove(first)  # it is the one whose events are lost
    await arena.check()


async def test_a_redis_without_memory_refuses_hints_and_no_job(arena: Arena) -> None:
    """Window: the broker answers, but takes nothing more."""
    worker = await arena.fleet.start_one()
    redis = arena.container.redis()
    assert (await redis.config_get("maxmemory-policy"))["maxmemory-policy"] == "noeviction"
    await redis.config_set("maxmemory", 1)
    await arena.submit_many(system_echo, HELLO, 50)
    await arena.until_ended(90)
    await redis.config_set("maxmemory", 0)
    await arena.submit_many(system_echo, HELLO, 20)
    await arena.until_ended(90)
    assert {story.claims for story in await arena.check(whole_events=False)} == {1}
    assert worker.is_alive


async def submit_steadily(arena: Arena, count: int, per_second: float) -> None:
    """Submit one by one at a pace, each answer awaited by itself."""

    async def submit(number: int) -> None:
        await asyncio.sleep(number / per_second)
        await arena.submit(system_echo, HELLO)

    await asyncio.gather(*(submit(number) for number in range(count)))


@pytest.mark.soak
async def test_a_stopped_valkey_is_as_good_as_none(arena: Arena) -> None:
    """Window: the server takes connections and never answers, then goes on as if nothing had been."""
    await arena.fleet.start(2)
    await arena.submit_many(system_echo, HELLO, 50)
    arena.stack.supervisor.terminate("redis", signal.SIGSTOP)
    await arena.submit_many(system_echo, HELLO, 50)
    await arena.until_ended(90)
    arena.stack.supervisor.terminate("redis", signal.SIGCONT)
    await arena.submit_many(system_echo, HELLO, 50)
    await arena.until_ended(90)
    assert {story.claims for story in await arena.check(whole_events=False)} == {1}
