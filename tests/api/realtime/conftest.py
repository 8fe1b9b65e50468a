"""One or more api processes, as far as live push goes: real uvicorn, real Valkey, real PostgreSQL."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from redis.asyncio import Redis
from sqlalchemy import insert

from api.config import ApiSettings
from api.container import ApiContainer
from api.event_bus import EventBus
from api.event_streams import EventStreams
from api.main import create_app
from api.realtime import Realtime
from common.database.model import Job, LoginSession
from common.events import NewEvent
from common.ids import new_id
from common.jobs.system_echo import SystemEchoPayload, system_echo
from common.repository.job import Owner
from common.repository.user import DEFAULT_TENANT_ID, NewUser
from tests.fixtures.stores import Stores, settings_of


@dataclass(frozen=True)
class Person:
    """A user with an account and a token."""

    owner: Owner
    token: str


@dataclass(frozen=True)
class Server:
    """One running api process."""

    url: str
    bus: EventBus
    realtime: Realtime
    streams: EventStreams


class _Uvicorn(uvicorn.Server):
    """Tells when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()


type Serve = Callable[..., Awaitable[Server]]


@pytest.fixture
def api_settings(stores: Stores, tmp_path: Path) -> ApiSettings:
    secret = "an-honest-secret-of-more-than-32-bytes"
    return settings_of(ApiSettings, {**stores.settings, "data_dir": tmp_path, "jwt_secret": secret})


@pytest.fixture
async def backstage(api_settings: ApiSettings) -> AsyncIterator[ApiContainer]:
    """What the rest of the system does: submit jobs, append events."""
    async with _open(api_settings) as container:
        yield container


@pytest.fixture
async def serve(api_settings: ApiSettings) -> AsyncIterator[Serve]:
    """Starts api processes: `await serve()`, or with settings that differ."""
    async with AsyncExitStack() as stack:

        async def start(**changes: Any) -> Server:
            settings = settings_of(ApiSettings, {**api_settings.model_dump(), **changes})
            return await stack.enter_async_context(_serve(settings))

        yield start


@pytest.fixture
async def server(serve: Serve) -> Server:
    return await serve()


@pytest.fixture
async def person(backstage: ApiContainer) -> Person:
    return await make_person(backstage)


@pytest.fixture
async def job(backstage: ApiContainer, person: Person) -> Job:
    """A queued job of `person`; its log holds `job.queued` as number 1."""
    return await submit(backstage, person.owner)


async def make_person(container: ApiContainer) -> Person:
    user = NewUser(new_id(), DEFAULT_TENANT_ID, f"{new_id()}@example.org", None)
    session = {"id": new_id(), "tenant_id": user.tenant_id, "owner_id": user.id}
    later = datetime.now(UTC) + timedelta(days=1)
    async with container.sessions().begin() as db:
        await container.users().ensure_default_tenant(db)
        assert await container.users().create(db, user)
        await db.execute(insert(LoginSession).values(**session, idle_until=later, expires_at=later))
    return Person(Owner(user.tenant_id, user.id), container.tokens().issue(user.id, 0, session["id"]))


async def submit(container: ApiContainer, owner: Owner) -> Job:
    return await container.queue().submit(system_echo, SystemEchoPayload(message="hello"), owner=owner)


def delta(job: Job, text: str) -> NewEvent:
    return NewEvent(job.id, job.owner_id, "llm.delta", 1, {"text": text})


def succeeded(job: Job) -> NewEvent:
    return NewEvent(job.id, job.owner_id, "job.succeeded", 1, {"result": {"message": "hello"}})


async def kill_listeners(redis: Redis) -> int:
    """Cut the pub/sub connections to this test's own database; returns how many."""
    number = str(redis.connection_pool.connection_kwargs.get("db", 0))
    clients = await redis.client_list(_type="pubsub")
    mine = [client["id"] for client in clients if client["db"] == number]
    for client_id in mine:
        await redis.client_kill_filter(_id=client_id)
    return len(mine)


@asynccontextmanager
async def _open(settings: ApiSettings) -> AsyncIterator[ApiContainer]:
    container = ApiContainer(settings=settings)
    yield container
    await container.redis().aclose()
    await container.listener_redis().aclose()
    await container.direct().close()
    await container.engine().dispose()


@asynccontextmanager
async def _serve(settings: ApiSettings) -> AsyncIterator[Server]:
    """A whole api process, but for its own interpreter."""
    container = ApiContainer(settings=settings)
    async with _listen(create_app(settings, container)) as url:
        yield Server(url, container.event_bus(), container.realtime(), container.event_streams())


@asynccontextmanager
async def _listen(app: Any) -> AsyncIterator[str]:
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_config=None, lifespan="on", timeout_graceful_shutdown=1)
    server = _Uvicorn(config)
    task = asyncio.create_task(server.serve([listening]))
    await server.listening.wait()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    await task
