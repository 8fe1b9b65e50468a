"""/health, /live and /ready with servers there and away."""

from importlib.metadata import version

import httpx2

from tests.api.conftest import Connect
from tests.fixtures.stores import Stores

NO_POSTGRES = {"database_url": "postgresql://letuin@127.0.0.1:1/letuin"}
NO_REDIS = {"redis_url": "redis://127.0.0.1:1/0"}


async def test_health_has_the_specified_shape(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/health")

    assert answer.status_code == 200
    assert answer.json() == {
        "status": "healthy",
        "version": version("letuin"),
        "environment": "test",
        "services": {"postgres": "healthy", "redis": "healthy"},
    }


async def test_without_redis_work_is_still_accepted(connect: Connect) -> None:
    async with connect(**NO_REDIS) as client:
        health, ready = await client.get("/health"), await client.get("/ready")

    assert (health.status_code, health.json()["status"]) == (200, "degraded")
    assert health.json()["services"]["redis"] == "unhealthy"
    assert ready.status_code == 200


async def test_without_postgres_only_the_process_lives(connect: Connect) -> None:
    async with connect(**NO_POSTGRES) as client:
        health, ready, live = await client.get("/health"), await client.get("/ready"), await client.get("/live")

    assert (health.status_code, health.json()["status"]) == (503, "unhealthy")
    assert (ready.status_code, ready.json()["status"]) == (503, "not ready")
    assert (live.status_code, live.json()) == (200, {"status": "alive"})


async def test_configured_servers_are_listed(connect: Connect, stores: Stores) -> None:
    redis_port = stores.redis_url.rpartition(":")[2].partition("/")[0]
    urls = {"mongodb_url": "mongodb://127.0.0.1:1/logs", "chroma_url": f"http://127.0.0.1:{redis_port}"}
    async with connect(**urls) as client:
        services = (await client.get("/health")).json()["services"]

    assert services == {"postgres": "healthy", "redis": "healthy", "mongodb": "unhealthy", "chroma": "healthy"}
