"""When schedules fire, on a virtual clock: whole years in several zones, clock changes, and what is refused."""

import itertools
import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from common.ids import new_id
from common.schedule.cron import CronExpression
from common.schedule.trigger import Trigger, jitter_of

ZONES = ["UTC", "Asia/Seoul", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "America/Santiago"]
YEAR = datetime(2026, 1, 1, tzinfo=UTC)


def year_of(trigger: Trigger) -> list[datetime]:
    return trigger.between(YEAR, YEAR.replace(year=2027), limit=100_000)


def show(slots: list[datetime], zone: str) -> list[str]:
    return [slot.astimezone(ZoneInfo(zone)).strftime("%m-%d %H:%M%z") for slot in slots]


@pytest.mark.parametrize("zone", ZONES)
def test_a_year_of_daily_slots_has_one_on_every_local_day(zone: str) -> None:
    for cron in ("30 2 * * *", "30 1 * * *", "0 0 * * *"):
        days = [slot.astimezone(ZoneInfo(zone)).date() for slot in year_of(Trigger(cron=cron, timezone=zone))]
        assert len(days) == len(set(days)) in (365, 366)
        assert all(later - earlier == timedelta(days=1) for earlier, later in itertools.pairwise(days))


@pytest.mark.parametrize("zone", ZONES)
def test_a_year_of_every_hour_follows_elapsed_time(zone: str) -> None:
    slots = year_of(Trigger(cron="30 * * * *", timezone=zone))
    expected = []
    moment, step = YEAR, timedelta(minutes=15)
    while moment.year == 2026:
        if moment.astimezone(ZoneInfo(zone)).minute == 30:
            expected.append(moment)
        moment += step
    assert slots == expected


@pytest.mark.parametrize(
    ("zone", "cron", "start", "expected"),
    [
        # The local time does not exist: at the change.
        ("America/New_York", "30 2 * * *", "2026-03-08T05:00Z", ["03-08 03:00-0400", "03-09 02:30-0400"]),
        ("America/New_York", "0,15,30 2 * * *", "2026-03-08T05:00Z", ["03-08 03:00-0400", "03-09 02:00-0400"]),
        ("America/New_York", "30 0-3 * * *", "2026-03-08T06:00Z", ["03-08 01:30-0500", "03-08 03:00-0400"]),
        ("Europe/Berlin", "30 2 29 3 *", "2026-01-01T00:00Z", ["03-29 03:00+0200", "03-29 02:30+0200"]),
        ("Australia/Lord_Howe", "15 2 * * *", "2026-10-03T12:00Z", ["10-04 02:30+1100", "10-05 02:15+1100"]),
        ("America/Santiago", "0 0 * * *", "2026-09-05T12:00Z", ["09-06 01:00-0300", "09-07 00:00-0300"]),
        # The local time comes twice: the first time.
        ("America/New_York", "30 1 * * *", "2026-11-01T02:00Z", ["11-01 01:30-0400", "11-02 01:30-0500"]),
        ("Australia/Lord_Howe", "45 1 * * *", "2026-04-04T12:00Z", ["04-05 01:45+1100", "04-06 01:45+1030"]),
        # Every hour: what elapses counts.
        ("America/New_York", "30 * * * *", "2026-03-08T06:00Z", ["03-08 01:30-0500", "03-08 03:30-0400"]),
        ("America/New_York", "30 * * * *", "2026-11-01T05:00Z", ["11-01 01:30-0400", "11-01 01:30-0500"]),
        # Months, leap days, either of two day fields, aliases, Sunday as 0 and 7, names.
        ("UTC", "0 0 29 2 *", "2026-03-01T00:00Z", ["02-29 00:00+0000", "02-29 00:00+0000"]),
        ("UTC", "0 0 13 * 5", "2026-03-01T00:00Z", ["03-06 00:00+0000", "03-13 00:00+0000"]),
        ("UTC", "@weekly", "2026-03-01T00:00Z", ["03-08 00:00+0000", "03-15 00:00+0000"]),
        ("UTC", "0 12 * * 7", "2026-03-01T13:00Z", ["03-08 12:00+0000", "03-15 12:00+0000"]),
        ("UTC", "5/20 9 * jan-mar MON", "2026-03-01T00:00Z", ["03-02 09:05+0000", "03-02 09:25+0000"]),
    ],
)
def test_the_answer_at(zone: str, cron: str, start: str, expected: list[str]) -> None:
    trigger = Trigger(cron=cron, timezone=zone)
    first = trigger.next_after(datetime.fromisoformat(start))
    assert first is not None
    second = trigger.next_after(first)
    assert second is not None
    assert show([first, second], zone) == expected


@pytest.mark.parametrize(
    ("cron", "said"),
    [
        ("* * * * * *", "five fields"),
        ("* * * *", "five fields"),
        ("@reboot", "no alias"),
        ("60 * * * *", "minute"),
        ("* 24 * * *", "hour"),
        ("* * 0 * *", "day of month"),
        ("* * 30 2 *", "never comes"),
        ("* * 31 4,6,9,11 *", "never comes"),
        ("* * * 13 *", "month"),
        ("* * * * 8", "day of week"),
        ("* * * * sunday", "day of week"),
        ("*/0 * * * *", "names nothing"),
        ("9-5 * * * *", "names nothing"),
        ("L * * * *", "minute"),
        ("1,,2 * * * *", "not understood"),
        ("* " * 5000, "longer than"),
        ("", "five fields"),
        ("٣ * * * *", "minute"),
    ],
)
def test_expressions_that_mean_nothing_are_refused(cron: str, said: str) -> None:
    started = time.process_time()
    with pytest.raises(ValueError, match=said):
        CronExpression(cron)
    assert time.process_time() - started < 2


def test_intervals_count_from_their_anchor_and_run_at_comes_once() -> None:
    every = Trigger(interval=timedelta(seconds=90), anchor=YEAR)
    assert every.between(YEAR, YEAR + timedelta(minutes=5), limit=9) == [
        YEAR + timedelta(seconds=seconds) for seconds in (0, 90, 180, 270)
    ]
    slot = YEAR
    for _ in range(2000):
        following = every.next_after(slot)
        assert following is not None
        assert following - slot == timedelta(seconds=90)
        slot = following
    once = Trigger(run_at=YEAR)
    assert once.next_after(YEAR - timedelta(days=9)) == YEAR
    assert once.next_after(YEAR) is None


def test_start_and_end_bound_the_slots() -> None:
    trigger = Trigger(cron="0 0 * * *", starts_at=YEAR + timedelta(days=3), ends_at=YEAR + timedelta(days=4))
    assert year_of(trigger) == [YEAR + timedelta(days=3), YEAR + timedelta(days=4)]


@pytest.mark.parametrize("cron", ["* * * * *", "*/7 * * * *", "0 9 * * 1-5", "0 0 1 * *", "0 0 29 2 *"])
def test_the_last_slot_is_found_without_counting_all(cron: str) -> None:
    trigger = Trigger(cron=cron, timezone="Europe/Berlin")
    now = datetime(2026, 8, 3, 12, 34, 56, tzinfo=UTC)
    started = time.process_time()
    found = trigger.last_until(now, since=datetime(2016, 1, 1, tzinfo=UTC))
    assert time.process_time() - started < 5
    assert found is not None
    assert found <= now
    following = trigger.next_after(found)
    assert following is not None
    assert following > now


def test_a_gap_shorter_than_its_neighbours_is_seen() -> None:
    assert Trigger(cron="0,1 9 * * *").shortest_gap(YEAR) == timedelta(minutes=1)
    assert Trigger(run_at=YEAR).shortest_gap(YEAR - timedelta(days=1)) is None


def test_jitter_is_the_same_for_a_slot_and_spread_below_its_bound() -> None:
    ids = [new_id() for _ in range(500)]
    found = [jitter_of(each, YEAR, timedelta(seconds=60)) for each in ids]
    assert found == [jitter_of(each, YEAR, timedelta(seconds=60)) for each in ids]
    assert min(found) < timedelta(seconds=5)
    assert timedelta(seconds=55) < max(found) < timedelta(seconds=60)
    assert jitter_of(ids[0], YEAR, timedelta(0)) == timedelta(0)
