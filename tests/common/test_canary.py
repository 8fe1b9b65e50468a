"""Listeners that hear nothing notice it: of the api and of the worker, with a real Valkey behind a proxy."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import pytest
from arq.connections import ArqRedis
from redis.asyncio import Redis

from api.config import ApiSettings
from api.event_bus import EventBus
from api.health import HealthService
from common.config import CommonSettings
from common.container import CommonContainer
from common.ids import new_id
from common.redis import create_redis
from tests.faults.arena import eventually
from tests.faults.proxy import TcpProxy
from worker.signals import SignalListener


@pytest.fixture
async def proxy(settings: CommonSettings) -> AsyncIterator[TcpProxy]:
    port = settings.redis_url.get_secret_value().rpartition(":")[2].partition("/")[0]
    async with TcpProxy(int(port)) as proxy:
        yield proxy


@pytest.fixture
async def ear(settings: CommonSettings, proxy: TcpProxy) -> AsyncIterator[ArqRedis]:
    """A listener's client that goes through the proxy; everything else speaks to Valkey itself."""
    database = settings.redis_url.get_secret_value().rpartition("/")[2]
    through = settings.model_copy(update={"redis_url": _secret(settings, f"{proxy.port}/{database}")})
    client = create_redis(through, blocking=True)
    yield client
    await client.aclose()


def _secret(settings: CommonSettings, port_and_database: str) -> object:
    return type(settings.redis_url)(f"redis://127.0.0.1:{port_and_database}")


async def test_a_deaf_api_process_says_so_and_hears_again(
    settings: CommonSettings, container: CommonContainer, proxy: TcpProxy, ear: ArqRedis
) -> None:
    bus = EventBus(ear, container.keys(), container.redis())
    values = {name: getattr(settings, name) for name in ("environment", "database_url", "redis_url")}
    health = HealthService(ApiSettings.model_validate(values), container.engine(), container.redis(), bus)

    async def is_ready() -> bool:
        return (await health.check_readiness()).status == "ready"

    async def is_out() -> bool:
        state = await health.check_readiness()
        return state.services == {"postgres": "healthy", "events": "unhealthy"}

    async with bus:
        await eventually(lambda: _is(bus.is_connected))
        assert await is_ready()
        proxy.silence()
        await eventually(is_out, 40)
        await eventually(lambda: _is(bus.silences > 0), 40)
        connections = bus.connections
        proxy.speak()
        await eventually(is_ready, 40)
        await eventually(lambda: _is(bus.connections > connections and bus.is_connected), 40)


async def test_without_redis_nobody_is_deaf(container: CommonContainer) -> None:
    """An outage for all must not take every api process out of service."""
    away = Redis.from_url("redis://127.0.0.1:9/0")
    bus = EventBus(away, container.keys(), away)
    async with bus:
        await asyncio.sleep(4.5)
        assert not bus.is_deaf
        assert not bus.is_connected
    await away.aclose()


class Ears:
    """What a worker's listener was told."""

    def __init__(self) -> None:
        self.worker_id = new_id()
        self.wakes = 0
        self.cancelled: list[UUID] = []

    def wake(self) -> None:
        self.wakes += 1


@asynccontextmanager
async def listening(container: CommonContainer, ear: ArqRedis, ears: Ears) -> AsyncIterator[SignalListener]:
    signals = SignalListener(
        ear,
        container.keys(),
        ["default"],
        container.redis(),
        "listener",
        on_wake=ears.wake,
        on_cancel=ears.cancelled.append,
    )
    tasks = [asyncio.create_task(signals.run(lambda: ears.worker_id)), asyncio.create_task(signals.canary.run())]
    try:
        await eventually(lambda: _is(ears.wakes > 0))
        yield signals
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def test_a_deaf_worker_subscribes_again(container: CommonContainer, proxy: TcpProxy, ear: ArqRedis) -> None:
    ears = Ears()
    async with listening(container, ear, ears) as signals:
        proxy.silence()
        await eventually(lambda: _is(signals.canary.is_deaf and signals.canary.silences > 0), 40)
        proxy.speak()
        await eventually(lambda: _is(not signals.canary.is_deaf), 40)
        job = new_id()
        await eventually(lambda: _tell(container, ears, job), 40)


async def test_a_worker_under_a_new_id_hears_what_is_said_to_that(container: CommonContainer, ear: ArqRedis) -> None:
    """Window: a lease was lost; cancels go to the new incarnation."""
    ears = Ears()
    async with listening(container, ear, ears):
        ears.worker_id = new_id()
        job = new_id()
        await eventually(lambda: _tell(container, ears, job), 40)


async def _tell(container: CommonContainer, ears: Ears, job: UUID) -> bool:
    await container.redis().publish(container.keys().control_channel(ears.worker_id), str(job))
    await asyncio.sleep(0.05)
    return job in ears.cancelled


async def _is(condition: bool) -> bool:
    return condition
