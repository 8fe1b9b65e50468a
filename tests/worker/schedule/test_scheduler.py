"""Firing: once for each slot whoever fires, overlap, catch-up, and what cannot be fired."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import groupby, pairwise

import pytest
from sqlalchemy import update

from common.container import CommonContainer
from common.database.model import Schedule, User
from common.ids import new_id
from common.jobs.system_echo import SystemEchoPayload, system_echo
from common.queue.catalog import Catalog
from common.queue.definition import job
from common.repository.job import Owner
from common.repository.system_schedule import SystemScheduleRepository
from common.repository.user import DEFAULT_TENANT_ID, NewUser, UserRepository
from common.schedule.declared import KindSchedule
from tests.worker.schedule.conftest import Add, Look, MakeScheduler
from worker.system_schedules import SystemSchedules

MINUTELY = "* * * * *"


async def start_of_a_minute() -> None:
    """What is counted in minutes must not be cut by the end of one."""
    left = 60 - datetime.now(UTC).second
    if left <= 5:
        await asyncio.sleep(left)


def minutes_ago(count: int) -> datetime:
    return datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=count)


async def test_ten_schedulers_at_once_fire_every_slot_once(add: Add, look: Look, make_scheduler: MakeScheduler) -> None:
    schedules = [await add(ago=timedelta(minutes=4), cron=MINUTELY, catch_up="fire_all") for _ in range(30)]
    schedulers = [make_scheduler() for _ in range(10)]
    for _ in range(2):
        await asyncio.gather(*(scheduler.tick() for scheduler in schedulers))
    jobs = await look.jobs()
    slots = sorted((job.annotations or {}).get("schedule_id", "") for job in jobs)
    counts = {schedule_id: len(list(found)) for schedule_id, found in groupby(slots)}
    assert set(counts) == {str(schedule.id) for schedule in schedules}
    for schedule in schedules:
        firings = await look.firings(schedule.id)
        assert counts[str(schedule.id)] == len(firings) in (5, 6)
        assert [later.slot - earlier.slot for earlier, later in pairwise(firings)] == [timedelta(minutes=1)] * (
            len(firings) - 1
        )
        assert {firing.job_id for firing in firings} <= {job.id for job in jobs}
        assert all(firing.lag >= timedelta(0) for firing in firings)


async def test_a_slot_that_fired_before_is_not_fired_again_after_an_edit(
    add: Add, look: Look, make_scheduler: MakeScheduler, container: CommonContainer
) -> None:
    schedule = await add()
    scheduler = make_scheduler()
    await scheduler.tick()
    async with container.sessions().begin() as db:
        again = {"next_slot": schedule.next_slot, "due_at": schedule.due_at, "version": 2}
        await db.execute(update(Schedule).where(Schedule.id == schedule.id).values(**again))
    await scheduler.tick()
    assert len(await look.jobs()) == len(await look.firings(schedule.id)) == 1
    after = await look.schedule(schedule.id)
    assert after.next_slot is not None
    assert after.next_slot > datetime.now(UTC)


@pytest.mark.parametrize(
    ("overlap", "outcomes", "statuses"),
    [
        ("allow", ["fired"], ["queued", "queued"]),
        ("skip", ["skipped"], ["queued"]),
        ("buffer_one", ["buffered"], ["queued"]),
        ("cancel_other", ["fired"], ["cancelled", "queued"]),
    ],
)
async def test_overlap(
    add: Add,
    look: Look,
    make_scheduler: MakeScheduler,
    container: CommonContainer,
    owner: Owner,
    overlap: str,
    outcomes: list[str],
    statuses: list[str],
) -> None:
    first = await container.queue().submit(system_echo, SystemEchoPayload(message="first"), owner=owner)
    schedule = await add(overlap=overlap, last_job_id=first.id)
    scheduler = make_scheduler()
    await scheduler.tick()
    assert [firing.outcome for firing in await look.firings(schedule.id)] == outcomes
    assert [job.status for job in await look.jobs()] == statuses
    if overlap == "buffer_one":
        await container.queue().cancel(first.id, owner)
        await make_scheduler().tick()
        [firing] = await look.firings(schedule.id)
        assert (firing.outcome, firing.job_id) == ("fired", (await look.jobs())[1].id)
        assert (await look.schedule(schedule.id)).pending_slot is None


@pytest.mark.parametrize(
    ("catch_up", "window", "expected"),
    [
        ("fire_once", 60, ["skipped@9", "fired@8"]),
        ("fire_all", 60, [f"fired@{ago}" for ago in (10, 9, 8)]),
        ("fire_all", 9, ["skipped@9", "fired@8"]),
        ("skip", 60, ["skipped@8"]),
        ("fire_once", 2, ["skipped@8"]),
    ],
)
async def test_catch_up_after_a_pause_of_all(
    add: Add, look: Look, make_scheduler: MakeScheduler, catch_up: str, window: int, expected: list[str]
) -> None:
    await start_of_a_minute()
    ends_at = minutes_ago(8)
    schedule = await add(
        ago=timedelta(minutes=10),
        cron=MINUTELY,
        catch_up=catch_up,
        catch_up_window=timedelta(minutes=window),
        ends_at=ends_at,
    )
    begun = minutes_ago(0)
    await make_scheduler().tick()
    found = await look.firings(schedule.id)
    assert [f"{each.outcome}@{round((begun - each.slot) / timedelta(minutes=1))}" for each in found] == expected
    after = await look.schedule(schedule.id)
    assert (after.status, after.next_slot) == ("ended", None)


async def test_a_year_of_missed_minutes_costs_one_firing(add: Add, look: Look, make_scheduler: MakeScheduler) -> None:
    schedule = await add(ago=timedelta(days=365), cron=MINUTELY)
    started = asyncio.get_running_loop().time()
    await make_scheduler().tick()
    assert asyncio.get_running_loop().time() - started < 20
    assert [firing.outcome for firing in await look.firings(schedule.id)] == ["fired"]
    after = await look.schedule(schedule.id)
    assert after.next_slot is not None
    assert after.next_slot > minutes_ago(0)


async def test_only_active_schedules_that_are_due_fire(add: Add, look: Look, make_scheduler: MakeScheduler) -> None:
    await add(status="paused")
    await add(status="disabled", reason="for a test")
    later = await add(due_at=datetime.now(UTC) + timedelta(minutes=5))
    await make_scheduler().tick()
    assert await look.jobs() == []
    assert (await look.schedule(later.id)).last_slot is None


async def test_a_kind_that_is_gone_disables_its_schedule_and_the_owner_is_told(
    add: Add, look: Look, make_scheduler: MakeScheduler, container: CommonContainer
) -> None:
    users, user_id = UserRepository(), new_id()
    async with container.sessions().begin() as db:
        await users.ensure_default_tenant(db)
        await users.create(db, NewUser(user_id, DEFAULT_TENANT_ID, "ada@example.com", None))
        await db.execute(
            update(User).where(User.id == user_id).values(email_verified_at=datetime.now(UTC), locale="ko")
        )
    mine = {"tenant_id": DEFAULT_TENANT_ID, "owner_id": user_id}
    gone = await add(kind="report.build", name="nightly", **mine)
    wrong = await add(payload={"text": "no such field"}, **mine)

    await make_scheduler(schedule_unknown_kind_grace=3600).tick()
    waiting = await look.schedule(gone.id)
    assert (waiting.status, waiting.next_slot) == ("active", gone.next_slot)

    async with container.sessions().begin() as db:
        await db.execute(update(Schedule).where(Schedule.id == gone.id).values(due_at=gone.due_at))
    await make_scheduler(schedule_unknown_kind_grace=0).tick()
    after = await look.schedule(gone.id)
    assert (after.status, after.reason) == ("disabled", "there is no job kind report.build any more")
    reason = (await look.schedule(wrong.id)).reason
    assert reason is not None
    assert reason.startswith("the payload does not fit system.echo: ")
    mails = await look.jobs("email.send")
    assert {mail.payload["to"] for mail in mails} == {"ada@example.com"}
    assert [(mail.payload["template"], mail.payload["locale"]) for mail in mails] == [("schedule_disabled", "ko")] * 2
    assert {mail.payload["variables"]["reason"] for mail in mails} == {after.reason, reason}


async def test_a_kind_may_declare_a_schedule_of_the_system(
    container: CommonContainer, look: Look, make_scheduler: MakeScheduler
) -> None:
    @job("test.nightly", schedule=KindSchedule(cron="0 3 * * *", payload={"message": "hi"}))
    async def nightly(ctx: object, payload: SystemEchoPayload) -> SystemEchoPayload:
        """Say hi."""
        return payload

    async def rows() -> list[tuple[str | None, str, int]]:
        async with container.sessions()() as db:
            found = await db.execute(Schedule.__table__.select())
            return [(row.system_key, row.status, row.version) for row in found]

    def system(catalog: Catalog) -> SystemSchedules:
        return SystemSchedules(container.sessions(), container.schedules(), SystemScheduleRepository(), catalog)

    declared = Catalog({"test.nightly": nightly})
    for _ in range(2):
        await system(declared).sync()
    assert await rows() == [("test.nightly", "active", 1)]
    await system(Catalog({})).sync()
    assert await rows() == [("test.nightly", "active", 1)]
    async with container.sessions().begin() as db:
        await db.execute(update(Schedule).values(updated_at=datetime.now(UTC) - timedelta(hours=1)))
    await system(Catalog({})).sync()
    assert await rows() == [("test.nightly", "disabled", 1)]
    await system(declared).sync()
    assert await rows() == [("test.nightly", "active", 2)]


def test_a_declared_schedule_must_make_sense() -> None:
    with pytest.raises(ValueError, match="five fields"):
        KindSchedule(cron="* *")
    with pytest.raises(ValueError, match="either"):
        KindSchedule()
    with pytest.raises(ValueError, match="time zone"):
        KindSchedule(cron="@daily", timezone="Nowhere")
    with pytest.raises(ValueError, match="message"):

        @job("test.wrong", schedule=KindSchedule(cron="@daily", payload={}))
        async def wrong(ctx: object, payload: SystemEchoPayload) -> SystemEchoPayload:
            return payload
