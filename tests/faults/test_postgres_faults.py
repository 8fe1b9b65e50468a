"""PostgreSQL killed or cut off under load: what was answered is there, workers live on, nothing ends wrongly."""

import asyncio
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy.exc import SQLAlchemyError

from common.config import CommonSettings
from common.container import CommonContainer
from common.jobs.system_echo import SystemEchoPayload, system_echo
from common.jobs.system_sleep import SystemSleepPayload, system_sleep
from common.queue.status import JobStatus
from tests.faults.arena import Arena, arena, outcomes
from tests.faults.kinds.mark import MarkPayload, mark
from tests.faults.proxy import TcpProxy
from tests.fixtures.server_process import database_url

pytestmark = pytest.mark.faults

HELLO = SystemEchoPayload(message="hello")
CALM = {"LEASE_DURATION": "15", "HEARTBEAT_INTERVAL": "1"}


async def submit_steadily(arena: Arena, path: Path, count: int, per_second: float) -> int:
    """Submit at a pace. How many were refused; only answered ones count as accepted."""

    async def submit(number: int) -> bool:
        await asyncio.sleep(number / per_second)
        try:
            await arena.submit(mark, MarkPayload(path=str(path), seconds=0.05))
        except (SQLAlchemyError, OSError):
            return False
        return True

    return (await asyncio.gather(*(submit(number) for number in range(count)))).count(False)


async def test_postgres_killed_and_restarted_under_load(arena: Arena, tmp_path: Path) -> None:
    """Windows: died before or after a commit; claim, heartbeat and end cut off by a server that starts up again."""
    await arena.fleet.start(2, **CALM)
    submitting = asyncio.create_task(submit_steadily(arena, tmp_path / "runs", 500, per_second=100))
    for _ in range(2):
        await asyncio.sleep(1.2)
        await arena.kill_server("postgres")
    refused = await submitting
    await arena.until_ended(90)
    stories = await arena.check()
    assert outcomes(stories) == {"succeeded": 500 - refused}
    assert {(story.failures, story.crashes) for story in stories} == {(0, 0)}
    assert all(worker.is_alive for worker in arena.fleet.workers)
    assert await arena.count("finished_at IS NULL") == 0


@pytest.mark.soak
async def test_a_database_that_lets_nobody_in_ends_no_worker(arena: Arena) -> None:
    """Window: PostgreSQL answers, but only to say no, as it does while it starts or has no connection to spare."""
    workers = await arena.fleet.start(2, LEASE_DURATION="6", HEARTBEAT_INTERVAL="0.5")
    await arena.submit_many(system_sleep, SystemSleepPayload(seconds=1.5), 6)
    await arena.until("status = 'running'", 6)
    admin = await asyncpg.connect(database_url(arena.environment["DATABASE_URL"], "postgres"))
    await admin.execute("ALTER DATABASE letuin ALLOW_CONNECTIONS false")
    await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'letuin'")
    await asyncio.sleep(3)
    await admin.execute("ALTER DATABASE letuin ALLOW_CONNECTIONS true")
    await admin.close()
    await arena.until_ended(90)
    stories = await arena.check()
    assert {(story.status, story.claims) for story in stories} == {(JobStatus.SUCCEEDED, 1)}
    await arena.container.engine().dispose()
    await arena.submit_many(system_echo, HELLO, 20)
    await arena.until_ended(90)
    assert all(worker.is_alive for worker in workers)


@pytest.mark.soak
async def test_running_jobs_survive_a_restart_of_postgres(arena: Arena) -> None:
    """Window: a database outage shorter than the lease takes no job away from a living worker."""
    await arena.fleet.start(2, **CALM)
    await arena.submit_many(system_sleep, SystemSleepPayload(seconds=3), 10)
    await arena.until("status = 'running'", 10)
    await arena.kill_server("postgres")
    await arena.until_ended(90)
    stories = await arena.check()
    assert {(story.status, story.claims) for story in stories} == {(JobStatus.SUCCEEDED, 1)}


async def test_after_an_outage_of_two_leases_no_living_worker_is_robbed(data_dir: Path) -> None:
    """Windows: mass expiry after an outage; a job that ends while nobody can write it down."""
    async with arena(data_dir) as servers:
        url = servers.stack.environment()["DATABASE_URL"]
        head, _, port = url.rpartition("/")[0].rpartition(":")
        async with TcpProxy(int(port)) as proxy:
            through = f"{head}:{proxy.port}/letuin"
            workers = await servers.fleet.start(2, DATABASE_URL=through, LEASE_DURATION="1.5", HEARTBEAT_INTERVAL="0.4")
            long = await servers.submit_many(system_sleep, SystemSleepPayload(seconds=60), 2)
            await servers.submit_many(system_sleep, SystemSleepPayload(seconds=2), 6)
            await servers.until("status = 'running'", 8)
            proxy.faults.refuses = True
            proxy.reset()
            await asyncio.sleep(3)
            proxy.faults.refuses = False
            await servers.until_ended(90, jobs=[job for job in servers.accepted if job not in long])
            for job in long:
                await servers.container.queue().cancel(job.id, servers.owner)
            await servers.until_ended(90)
            stories = await servers.check()
            assert all(worker.is_alive for worker in workers)
            assert {story.crashes for story in stories} == {0}
            assert outcomes(stories) == {"succeeded": 6, "cancelled": 2}


@pytest.mark.soak
async def test_a_silent_postgres_takes_the_right_to_work_and_gives_it_back(data_dir: Path) -> None:
    """Window: cut off without a word: the worker stops before its lease ends, and comes back by itself."""
    async with arena(data_dir) as servers:
        url = servers.stack.environment()["DATABASE_URL"]
        head, _, port = url.rpartition("/")[0].rpartition(":")
        async with TcpProxy(int(port)) as proxy:
            (cut,) = await servers.fleet.start(1, DATABASE_URL=f"{head}:{proxy.port}/letuin")
            await servers.fleet.start(1)
            await servers.submit_many(system_sleep, SystemSleepPayload(seconds=4), 30)
            await servers.until(f"status = 'running' AND lease_owner = '{cut.id}'")
            proxy.silence()
            await asyncio.sleep(5)
            proxy.speak()
            await servers.until_ended(90)
            await servers.check()
            assert cut.is_alive


async def test_a_submission_while_postgres_is_away_is_refused_and_leaves_no_row(data_dir: Path) -> None:
    """Window: the api dies, or the database goes, before the commit."""
    async with arena(data_dir) as servers:
        settings = CommonSettings.model_validate(
            {
                "environment": "test",
                "database_url": "postgresql://letuin@127.0.0.1:9/letuin",
                "redis_url": "redis://127.0.0.1:9/0",
            }
        )
        container = CommonContainer(settings=settings)
        with pytest.raises((SQLAlchemyError, OSError)):
            await container.queue().submit(system_echo, HELLO, owner=servers.owner)
        assert await servers.count("true") == 0
        await container.direct().close()
        await container.engine().dispose()
