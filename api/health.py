"""Whether this process and the servers behind it work: /health for people and monitors, /live and /ready for probes."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import urlsplit

from fastapi import APIRouter, Response
from pydantic import BaseModel
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine

from api.config import ApiSettings
from api.dependencies import from_state
from api.event_bus import EventBus
from api.feature import operation_id
from common.database.revision import SchemaState, read_revision, state_of

if TYPE_CHECKING:
    from common.repository.log import RequestLogRepository

ServiceState = Literal["healthy", "unhealthy"]
Probe = Callable[[], Awaitable[None]]

_DEFAULT_PORTS = {"http": 80, "https": 443}


class Health(BaseModel):
    """`degraded` means that work is accepted while a service is away; `unhealthy` means that it is not."""

    status: Literal["healthy", "degraded", "unhealthy"]
    version: str
    environment: str
    services: dict[str, ServiceState]


class Liveness(BaseModel):
    """This process answers."""

    status: Literal["alive"] = "alive"


class Readiness(BaseModel):
    """Whether requests should come here: PostgreSQL answers, and this process hears the bus if anybody does.

    `migration` tells how the database stands to this release; `older` and `missing` want `letuin migrate`. `newer` is
    what a deploy looks like from the release before, and requests are served. Null while PostgreSQL is away.
    """

    status: Literal["ready", "not ready"]
    services: dict[str, ServiceState]
    migration: SchemaState | None


class HealthService:
    """Asks every server that is configured, all at once, each with a time limit."""

    def __init__(
        self,
        settings: ApiSettings,
        engine: AsyncEngine,
        redis: Redis,
        bus: EventBus,
        logs: "RequestLogRepository | None" = None,
    ) -> None:
        self._environment = str(settings.environment)
        self._limit = settings.health_timeout.total_seconds()
        self._engine = engine
        self._redis = redis
        self._bus = bus
        self._probes: dict[str, Probe] = {"postgres": self._ask_postgres, "redis": self._ask_redis}
        if logs is not None:
            self._probes["mongodb"] = logs.ping
        if settings.chroma_url:
            self._probes["chroma"] = _accepts_connections(settings.chroma_url)

    async def check(self) -> Health:
        """The state of everything."""
        states = await asyncio.gather(*(self._state(probe) for probe in self._probes.values()))
        services = dict(zip(self._probes, states, strict=True))
        is_whole = all(state == "healthy" for state in states)
        status: Literal["healthy", "degraded", "unhealthy"] = "healthy" if is_whole else "degraded"
        if services["postgres"] != "healthy":
            status = "unhealthy"
        return Health(status=status, version=version("letuin"), environment=self._environment, services=services)

    async def check_readiness(self) -> Readiness:
        """Whether jobs can be accepted (PostgreSQL answers and has the tables of this release) and followed.

        Redis being away takes no process out of service, as jobs are accepted without it; being the one that does not
        hear what Redis says does.
        """
        events: ServiceState = "unhealthy" if self._bus.is_deaf else "healthy"
        migration: SchemaState | None = None
        with suppress(Exception):
            async with asyncio.timeout(self._limit):
                migration = await self._look_at_migration()
        services: dict[str, ServiceState] = {
            "postgres": "unhealthy" if migration is None else "healthy",
            "events": events,
        }
        is_ready = migration is not None and migration.is_usable and events == "healthy"
        return Readiness(status="ready" if is_ready else "not ready", services=services, migration=migration)

    async def _state(self, probe: Probe) -> ServiceState:
        # Whatever a driver raises, the answer to "does it work" is no.
        with suppress(Exception):
            async with asyncio.timeout(self._limit):
                await probe()
            return "healthy"
        return "unhealthy"

    async def _ask_postgres(self) -> None:
        if await self._look_at_migration() is SchemaState.MISSING:
            raise LookupError("the migrations have not run")

    async def _look_at_migration(self) -> SchemaState:
        async with self._engine.connect() as connection:
            return state_of(await read_revision(connection))

    async def _ask_redis(self) -> None:
        await self._redis.ping()


def _accepts_connections(url: str) -> Probe:
    """A probe for servers that the api itself never speaks to: somebody listens there."""
    parts = urlsplit(url)
    first_host = parts.netloc.rpartition("@")[2].partition(",")[0]
    name, _, port = first_host.partition(":")
    number = int(port) if port.isdigit() else _DEFAULT_PORTS.get(parts.scheme, 80)

    async def probe() -> None:
        _, writer = await asyncio.open_connection(name, number)
        writer.close()

    return probe


HealthDep = Annotated[HealthService, from_state("health")]
router = APIRouter(tags=["health"], generate_unique_id_function=operation_id)


@router.get("/health")
async def get_health(health: HealthDep, response: Response) -> Health:
    """The state of this process and of every server it uses; 503 when jobs cannot be accepted."""
    state = await health.check()
    response.status_code = 503 if state.status == "unhealthy" else 200
    return state


@router.get("/live")
async def get_liveness() -> Liveness:
    """Answers as long as the process does."""
    return Liveness()


@router.get("/ready")
async def get_readiness(health: HealthDep, response: Response) -> Readiness:
    """200 when requests can be served, else 503."""
    state = await health.check_readiness()
    response.status_code = 200 if state.status == "ready" else 503
    return state
