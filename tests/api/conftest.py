"""The api as clients meet it: the whole ASGI app over HTTP, on the test's own stores."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from api.config import ApiSettings
from api.main import create_app
from common.container import CommonContainer
from common.ids import new_id
from common.passwords import hash_password
from common.repository.user import DEFAULT_TENANT_ID, NewUser, UserRepository
from tests.fixtures.stores import Stores, settings_of

JWT_SECRET = "an-honest-secret-of-more-than-32-bytes"
ACCESS_TOKEN = "the-static-token-of-the-service"
PRODUCTION = {"environment": "production", "access_token": ACCESS_TOKEN}
ECHO = {"kind": "system.echo", "payload": {"message": "hello"}}

type BuildSettings = Callable[..., ApiSettings]
type Connect = Callable[..., AbstractAsyncContextManager[httpx2.AsyncClient]]
type MakeUser = Callable[..., Awaitable[Account]]


@dataclass(frozen=True)
class Account:
    """Somebody who can sign in."""

    id: UUID
    email: str
    password: str

    async def sign_in(self, client: httpx2.AsyncClient) -> dict[str, str]:
        """The header that proves who it is."""
        answer = await client.post("/api/v1/auth/login", json={"email": self.email, "password": self.password})
        assert answer.status_code == 200, answer.text
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}


@pytest.fixture
def build_settings(stores: Stores, tmp_path: Path) -> BuildSettings:
    """Settings on the test's stores; keywords override."""

    def build(**changes: Any) -> ApiSettings:
        values = {**stores.settings, "jwt_secret": JWT_SECRET, "data_dir": tmp_path / "data"}
        return settings_of(ApiSettings, {**values, **changes})

    return build


@pytest.fixture
def connect(build_settings: BuildSettings) -> Connect:
    """`async with connect(**settings) as client:` runs an app of its own between start and end of its lifespan."""

    @asynccontextmanager
    async def open_client(**changes: Any) -> AsyncIterator[httpx2.AsyncClient]:
        async with running(create_app(build_settings(**changes))) as app:
            transport = httpx2.ASGITransport(app)
            async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1", timeout=60) as client:
                yield client

    return open_client


@pytest.fixture
async def client(connect: Connect) -> AsyncIterator[httpx2.AsyncClient]:
    """A client without a token: the local user."""
    async with connect() as client:
        yield client


@pytest.fixture
def make_user(container: CommonContainer) -> MakeUser:
    """Insert a user as the command line does."""

    async def make(email: str = "ada@example.com", password: str = "correct horse battery") -> Account:
        users = UserRepository()
        account = Account(new_id(), email, password)
        async with container.sessions().begin() as db:
            await users.ensure_default_tenant(db)
            assert await users.create(db, NewUser(account.id, DEFAULT_TENANT_ID, email, hash_password(password)))
        return account

    return make


@asynccontextmanager
async def running(app: ASGIApp) -> AsyncIterator[ASGIApp]:
    """The app between lifespan startup and shutdown, with the lifespan's state in every request."""
    state: dict[str, Any] = {}
    to_app: asyncio.Queue[MutableMapping[str, Any]] = asyncio.Queue()
    from_app: asyncio.Queue[MutableMapping[str, Any]] = asyncio.Queue()
    scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": state}

    async def live() -> None:
        await app(scope, to_app.get, from_app.put)

    async def with_state(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "state": dict(state)}, receive, send)

    task = asyncio.create_task(live())
    await to_app.put({"type": "lifespan.startup"})
    assert await from_app.get() == {"type": "lifespan.startup.complete"}
    try:
        yield with_state
    finally:
        await to_app.put({"type": "lifespan.shutdown"})
        assert await from_app.get() == {"type": "lifespan.shutdown.complete"}
        await task
