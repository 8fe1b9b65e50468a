"""Leases: the database's clock decides, and a repeated call does no harm."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from common.container import CommonContainer
from common.ids import new_id
from common.repository.upkeep import UpkeepRepository
from common.repository.worker import Incarnation, WorkerRepository

LEASE = timedelta(seconds=15)
_RUN_OUT = text("UPDATE workers SET lease_expires_at = now() - interval '1 s'")


@pytest.fixture
def workers() -> WorkerRepository:
    return WorkerRepository()


def incarnation(host: str = "host", boot_id: str = "boot") -> Incarnation:
    return Incarnation(new_id(), host, boot_id, 1, ("default",), 10)


async def test_registering_again_after_a_lost_answer_keeps_the_lease(
    container: CommonContainer, workers: WorkerRepository
) -> None:
    mine = incarnation()
    for _ in range(2):
        async with container.sessions().begin() as db:
            await workers.register(db, mine, LEASE)
    async with container.sessions().begin() as db:
        assert (await workers.heartbeat(db, mine.id, LEASE)).is_alive
        assert [worker.id for worker in await workers.list_active(db)] == [mine.id]


async def test_registering_again_does_not_bring_an_ended_incarnation_back(
    container: CommonContainer, workers: WorkerRepository
) -> None:
    mine = incarnation()
    async with container.sessions().begin() as db:
        await workers.register(db, mine, LEASE)
        assert await workers.release(db, mine.id)
    async with container.sessions().begin() as db:
        await workers.register(db, mine, LEASE)
        assert not (await workers.heartbeat(db, mine.id, LEASE)).is_alive


async def test_a_lease_that_ran_out_lives_on_until_somebody_ends_it(
    container: CommonContainer, workers: WorkerRepository
) -> None:
    mine, upkeep = incarnation(), UpkeepRepository()
    async with container.sessions().begin() as db:
        await workers.register(db, mine, LEASE)
        await db.execute(_RUN_OUT)
    async with container.sessions().begin() as db:
        assert (await workers.heartbeat(db, mine.id, LEASE)).is_alive
        assert await upkeep.end_expired_leases(db) == []
        await db.execute(_RUN_OUT)
        assert await upkeep.end_expired_leases(db) == [mine.id]
        assert not (await workers.heartbeat(db, mine.id, LEASE)).is_alive


async def test_another_boot_of_the_same_host_ends_the_workers_of_the_one_before(
    container: CommonContainer, workers: WorkerRepository
) -> None:
    before, elsewhere, after = incarnation(), incarnation("other host"), incarnation(boot_id="next boot")
    for each in (before, elsewhere, after):
        async with container.sessions().begin() as db:
            await workers.register(db, each, LEASE)
    async with container.sessions().begin() as db:
        assert {worker.id for worker in await workers.list_active(db)} == {elsewhere.id, after.id}


async def test_a_dead_process_loses_also_the_lease_that_it_took_under_another_id(
    container: CommonContainer, workers: WorkerRepository
) -> None:
    """Its supervisor knows the first id only."""
    first, other = incarnation(), incarnation()
    later = replace(incarnation(), process_id=first.id)
    async with container.sessions().begin() as db:
        for each in (first, later, other):
            await workers.register(db, each, LEASE)
    async with container.sessions().begin() as db:
        assert await workers.release(db, first.id)
        assert [worker.id for worker in await workers.list_active(db)] == [other.id]


async def test_what_operators_told_a_process_holds_for_its_next_incarnation(
    container: CommonContainer, workers: WorkerRepository
) -> None:
    mine, other = incarnation(), incarnation()
    async with container.sessions().begin() as db:
        await workers.register(db, mine, LEASE)
        assert await workers.steer(db, mine.id, is_draining=True, hands_back=True, concurrency=3)
        assert await workers.release(db, mine.id)
    async with container.sessions().begin() as db:
        await workers.register(db, replace(mine, id=new_id(), process_id=mine.id), LEASE)
        await workers.register(db, other, LEASE)
        found = {worker.process_id: worker for worker in await workers.list_active(db)}
    assert (found[mine.id].is_draining, found[mine.id].hands_back, found[mine.id].concurrency) == (True, True, 3)
    assert (found[other.id].is_draining, found[other.id].hands_back, found[other.id].concurrency) == (False, False, 10)
