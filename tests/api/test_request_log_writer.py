"""The writer of the request log against a real server: outages, bounds, stops, garbage."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from loguru import logger

from api.request_log import RequestLogWriter
from common.database.model.log import RequestLog
from common.errors import InvalidError, UnavailableError
from common.ids import new_id
from common.log_writer import LogCounts
from common.repository.job import Owner
from common.repository.log import RequestLogRepository
from common.request_log import LogWindow, RequestEntry, RequestFilter
from tests.api.conftest import BuildSettings
from tests.faults.proxy import TcpProxy
from tests.fixtures.mongo import connected, database_url

HOUR = timedelta(hours=1)

type MakeEntry = Callable[..., RequestEntry]


@pytest.fixture
def entry(owner: Owner) -> MakeEntry:
    """An answered request of the test's owner."""

    def make(**changes: Any) -> RequestEntry:
        answered = RequestEntry(
            id=new_id(),
            ts=datetime.now(UTC),
            method="GET",
            route="/api/v1/jobs/{job_id}",
            path="/api/v1/jobs/7",
            status=200,
            duration_ms=1.5,
            request_id=str(new_id()),
            user_id=owner.user_id,
            tenant_id=owner.tenant_id,
            request_bytes=0,
            response_bytes=2**40,
            error_code=None,
        )
        return replace(answered, **changes)

    return make


@asynccontextmanager
async def opened(url: str, retention: timedelta = HOUR) -> AsyncIterator[RequestLogRepository]:
    logs = RequestLogRepository.open(url, retention=retention)
    try:
        yield logs
    finally:
        await logs.close()


async def written_ids(url: str) -> list[UUID]:
    async with connected(url) as database:
        return [document["_id"] async for document in database["request_log"].find({})]


async def until_counts(writer: RequestLogWriter, is_enough: Callable[[LogCounts], bool]) -> None:
    async with asyncio.timeout(60):
        while True:
            if is_enough(writer.counts):
                return
            await asyncio.sleep(0.02)


@contextmanager
def heard(message: str) -> Iterator[asyncio.Event]:
    """An event for when the log says so."""
    event = asyncio.Event()
    sink = logger.add(lambda line: event.set() if line.record["message"] == message else None, level="DEBUG")
    try:
        yield event
    finally:
        logger.remove(sink)


def behind(url: str, proxy: TcpProxy, port: int) -> str:
    """The same database without the proxy."""
    return url.replace(f":{proxy.port}/", f":{port}/")


def last_hour(limit: int = 100) -> LogWindow:
    return LogWindow(datetime.now(UTC) - HOUR, datetime.now(UTC) + HOUR, limit)


async def test_entries_are_read_back_as_they_were(mongodb_url: str, entry: MakeEntry, owner: Owner) -> None:
    first, second = entry(), entry(ts=datetime.now(UTC) + timedelta(minutes=1), error_code="not_found", status=404)
    stranger = entry(user_id=new_id(), request_id=first.request_id)
    nobody = entry(user_id=None, tenant_id=None)
    old = entry(ts=datetime.now(UTC) - 2 * HOUR)
    async with opened(mongodb_url) as logs:
        await logs.prepare()
        assert await logs.insert_many([first, second, stranger, nobody, old]) == 0

        async def read(user_id: UUID | None, limit: int = 100, **wanted: Any) -> list[RequestLog]:
            chosen = RequestFilter(**wanted)
            return await logs.list_page(owner.tenant_id, chosen, last_hour(limit), user_id=user_id, after=None)

        mine = await read(owner.user_id)
        all_of_tenant = await read(None)
        one = await read(owner.user_id, limit=1)
        by_id = await read(None, request_id=first.request_id)
        my_by_id = await read(owner.user_id, request_id=first.request_id)

    assert [log.id for log in mine] == [second.id, first.id]
    assert [log.id for log in one] == [second.id]
    assert {log.id for log in all_of_tenant} == {first.id, second.id, stranger.id}
    assert {log.id for log in by_id} == {first.id, stranger.id}
    assert [log.id for log in my_by_id] == [first.id]
    kept = mine[1].model_dump(exclude={"revision_id", "ts"})
    assert kept == {name: getattr(first, name) for name in kept}
    assert abs(mine[1].ts - first.ts) < timedelta(milliseconds=1)


async def test_indexes_expire_entries_and_follow_the_setting(mongodb_url: str) -> None:
    for retention in (HOUR, timedelta(days=30), timedelta(days=30)):
        async with opened(mongodb_url, retention) as logs, connected(mongodb_url) as database:
            await logs.prepare()
            indexes = await database["request_log"].index_information()

        assert indexes["ts_expiry"]["expireAfterSeconds"] == retention.total_seconds()
        keys = {tuple(field for field, _ in index["key"]) for index in indexes.values()}
        assert keys == {("_id",), ("ts",), ("user_id", "ts"), ("tenant_id", "ts"), ("request_id",)}


async def test_a_window_is_read_newest_first_however_entries_lie_in_it(
    mongodb_url: str, entry: MakeEntry, owner: Owner
) -> None:
    now = datetime.now(UTC)
    ages = [0.5, 1, 1.5, 30, 31, 600, 601, 3000, 3599, 3601]
    async with opened(mongodb_url) as logs:
        await logs.prepare()
        await logs.insert_many([entry(ts=now - timedelta(seconds=age)) for age in ages])
        window = LogWindow(now - HOUR, now, 100)
        read = partial(logs.list_page, owner.tenant_id, RequestFilter())
        found = await read(window, user_id=owner.user_id, after=None)
        first = await read(replace(window, limit=4), user_id=None, after=None)
        rest = await read(window, user_id=None, after=first[-1].id)

    assert [round((now - each.ts).total_seconds(), 1) for each in found] == ages[:-1]
    assert [each.id for each in (*first, *rest)] == [each.id for each in found]


async def test_writing_twice_writes_once(mongodb_url: str, entry: MakeEntry) -> None:
    entries = [entry() for _ in range(3)]
    async with opened(mongodb_url) as logs:
        await logs.prepare()
        await logs.insert_many(entries[:2])
        assert await logs.insert_many(entries) == 0

    assert sorted(await written_ids(mongodb_url)) == sorted(answered.id for answered in entries)


async def test_an_outage_loses_nothing_up_to_the_bound(
    mongo_port: int, build_settings: BuildSettings, entry: MakeEntry
) -> None:
    settings = build_settings(request_log_max_queued=50, request_log_batch_size=7, request_log_flush_interval=0.05)
    entries = [entry() for _ in range(90)]
    async with TcpProxy(mongo_port) as proxy:
        url = database_url(proxy.port)
        async with opened(url) as logs, RequestLogWriter(settings, logs) as writer:
            for answered in entries[:10]:
                writer.record(answered)
            await until_counts(writer, lambda counts: counts.written == 10)

            with heard("A log is away; entries wait for it") as away:
                proxy.faults.refuses = True
                proxy.reset()
                for answered in entries[10:80]:
                    writer.record(answered)
                assert writer.counts == LogCounts(written=10, dropped=20, queued=50)
                await asyncio.wait_for(away.wait(), 60)
            with pytest.raises(UnavailableError, match="does not answer"):
                await logs.ping()

            proxy.faults.refuses = False
            await until_counts(writer, lambda counts: counts.queued == 0)
            for answered in entries[80:]:
                writer.record(answered)
            await until_counts(writer, lambda counts: counts.queued == 0)
            assert writer.counts == LogCounts(written=70, dropped=20, queued=0)
        written = await written_ids(behind(url, proxy, mongo_port))

    assert sorted(written) == sorted(answered.id for answered in entries[:60] + entries[80:])


async def test_a_lost_answer_writes_no_entry_twice(
    mongo_port: int, build_settings: BuildSettings, entry: MakeEntry
) -> None:
    settings = build_settings(request_log_batch_size=20, request_log_flush_interval=0.05)
    async with TcpProxy(mongo_port) as proxy:
        url = database_url(proxy.port)
        async with opened(url) as logs, RequestLogWriter(settings, logs) as writer:
            for cut_after in (None, 300, 600, 900, 1200, None):
                proxy.faults.cut_after = cut_after
                before = writer.counts.written
                for _ in range(40):
                    writer.record(entry())
                if cut_after is None:
                    await until_counts(writer, lambda counts: counts.queued == 0)
                    assert writer.counts.written > before
                else:
                    with pytest.raises(TimeoutError):
                        async with asyncio.timeout(0.5):
                            await until_counts(writer, lambda counts: counts.queued == 0)
        written = await written_ids(behind(url, proxy, mongo_port))

    assert len(written) == len(set(written)) == 240


async def test_a_server_that_was_emptied_gets_its_indexes_again(
    mongo_port: int, build_settings: BuildSettings, entry: MakeEntry
) -> None:
    settings = build_settings(request_log_flush_interval=0.05)
    async with TcpProxy(mongo_port) as proxy:
        url = database_url(proxy.port)
        async with opened(url) as logs, RequestLogWriter(settings, logs) as writer:
            writer.record(entry())
            await until_counts(writer, lambda counts: counts.written == 1)
            async with connected(behind(url, proxy, mongo_port)) as database:
                await database.drop_collection("request_log")
                with heard("A log is away; entries wait for it") as away:
                    proxy.faults.refuses = True
                    proxy.reset()
                    writer.record(entry())
                    await asyncio.wait_for(away.wait(), 60)
                proxy.faults.refuses = False
                await until_counts(writer, lambda counts: counts.written == 2)
                assert "ts_expiry" in await database["request_log"].index_information()


async def test_stop_writes_what_is_left(mongodb_url: str, build_settings: BuildSettings, entry: MakeEntry) -> None:
    settings = build_settings(request_log_flush_interval=60, request_log_batch_size=100)
    entries = [entry() for _ in range(250)]
    async with opened(mongodb_url) as logs:
        async with RequestLogWriter(settings, logs) as writer:
            for answered in entries:
                writer.record(answered)
        assert writer.counts == LogCounts(written=250, dropped=0, queued=0)

    assert sorted(await written_ids(mongodb_url)) == sorted(answered.id for answered in entries)


async def test_stop_waits_no_longer_than_allowed(
    mongo_port: int, build_settings: BuildSettings, entry: MakeEntry
) -> None:
    settings = build_settings(request_log_flush_interval=0.05, request_log_stop_timeout=0.5)
    async with TcpProxy(mongo_port) as proxy:
        async with opened(database_url(proxy.port)) as logs:
            async with RequestLogWriter(settings, logs) as writer:
                writer.record(entry())
                await until_counts(writer, lambda counts: counts.written == 1)
                proxy.silence()
                writer.record(entry())
                started = time.perf_counter()
            assert time.perf_counter() - started < 20
            assert writer.counts == LogCounts(written=1, dropped=1, queued=0)
        proxy.speak()


async def test_what_cannot_be_encoded_holds_nothing_up(
    mongodb_url: str, build_settings: BuildSettings, entry: MakeEntry
) -> None:
    settings = build_settings(request_log_batch_size=2)
    good = [entry(), entry()]
    async with opened(mongodb_url) as logs:
        async with RequestLogWriter(settings, logs) as writer:
            for answered in (entry(path="\ud800"), entry(response_bytes=2**70), *good):
                writer.record(answered)
        assert writer.counts == LogCounts(written=2, dropped=2, queued=0)

    assert sorted(await written_ids(mongodb_url)) == sorted(answered.id for answered in good)


@pytest.mark.parametrize("url", ["http://db", "mongodb://", "mongodb://u:hun@ter2@db", "mongodb://u:hunter2@db:99999"])
def test_a_malformed_url_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(InvalidError, match="MONGODB_URL") as refused:
        RequestLogRepository.open(url, retention=HOUR)
    assert "ter2" not in refused.value.message
