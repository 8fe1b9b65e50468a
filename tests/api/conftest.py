"""The api as clients meet it: the whole ASGI app over HTTP, on the test's own stores."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from api.config import ApiSettings
from api.main import create_app
from tests.fixtures.stores import Stores

type Connect = Callable[..., AbstractAsyncContextManager[httpx2.AsyncClient]]

JWT_SECRET = "an-honest-secret-of-more-than-32-bytes"
ACCESS_TOKEN = "the-static-token-of-the-service"


@pytest.fixture
def api_settings(stores: Stores, tmp_path: Path) -> Callable[..., ApiSettings]:
    """Settings on the test's stores; keywords override."""

    def build(**changes: Any) -> ApiSettings:
        values = {
            "environment": "test",
            "database_url": stores.database_url,
            "redis_url": stores.redis_url,
            "jwt_secret": JWT_SECRET,
            "data_dir": tmp_path / "data",
        }
        return ApiSettings.model_validate({**values, **changes})

    return build


@pytest.fixture
def connect(api_settings: Callable[..., ApiSettings]) -> Connect:
    """`async with connect(**settings) as client:` runs an app of its own between start and stop of its lifespan."""

    @asynccontextmanager
    async def open_client(**changes: Any) -> AsyncIterator[httpx2.AsyncClient]:
        app = create_app(api_settings(**changes))
        async with running(app) as ready:
            transport = httpx2.ASGITransport(ready)
            async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
                yield client

    return open_client


@pytest.fixture
async def client(connect: Connect) -> AsyncIterator[httpx2.AsyncClient]:
    """A client without a token: the local user."""
    async with connect() as client:
        yield client


@asynccontextmanager
async def running(app: ASGIApp) -> AsyncIterator[ASGIApp]:
    """The app between lifespan startup and shutdown, with the lifespan's state in every request."""
    state: dict[str, Any] = {}
    to_app: asyncio.Queue[MutableMapping[str, Any]] = asyncio.Queue()
    from_app: asyncio.Queue[MutableMapping[str, Any]] = asyncio.Queue()
    scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": state}
    task = asyncio.ensure_future(_awaitable(app(scope, to_app.get, from_app.put)))

    async def with_state(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "state": dict(state)}, receive, send)

    await to_app.put({"type": "lifespan.startup"})
    assert await from_app.get() == {"type": "lifespan.startup.complete"}
    try:
        yield with_state
    finally:
        await to_app.put({"type": "lifespan.shutdown"})
        assert await from_app.get() == {"type": "lifespan.shutdown.complete"}
        await task


async def _awaitable(call: Awaitable[None]) -> None:
    await call
