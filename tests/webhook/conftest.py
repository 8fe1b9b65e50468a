"""An api with webhooks to this machine, a worker that calls quickly, and a receiver."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from api.config import ApiSettings
from tests.api.realtime.conftest import Person, Serve, api_settings, backstage, person, serve
from tests.fixtures.workers import running_worker
from tests.webhook.receiver import Receiver, running_receiver
from worker.engine import Engine

__all__ = ["api_settings", "backstage", "person", "serve"]

_HERE = "127.0.0.0/8,::1/128"


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with running_receiver() as receiver:
        yield receiver


@pytest.fixture
async def http(serve: Serve, person: Person) -> AsyncIterator[httpx2.AsyncClient]:
    """The api as `person` calls it."""
    server = await serve(webhook_private_networks=_HERE, max_webhooks=3)
    headers = {"Authorization": f"Bearer {person.token}"}
    url = f"{server.url}/api/v1"
    async with httpx2.AsyncClient(base_url=url, headers=headers, timeout=60, trust_env=False) as client:
        yield client


@pytest.fixture
async def worker(api_settings: ApiSettings, request: pytest.FixtureRequest) -> AsyncIterator[Engine]:
    """Waits for an answer as many seconds as the fixture's parameter says; else longer than any machine is busy."""
    changes = {"webhook_private_networks": _HERE, "webhook_schedule": "0.1,0.2", "webhook_interval": 0.1}
    async with running_worker(api_settings, **changes, webhook_timeout=getattr(request, "param", 30)) as engine:
        yield engine
