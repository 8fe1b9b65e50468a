"""The client against whole api processes and a real worker."""

from collections.abc import AsyncIterator

import pytest

from api.config import ApiSettings
from tests.api.realtime.conftest import Serve, Server, api_settings, backstage, job, person, serve, server
from tests.fixtures.workers import running_worker
from worker.engine import Engine

__all__ = ["Serve", "Server", "api_settings", "backstage", "job", "person", "serve", "server"]


@pytest.fixture
async def worker(api_settings: ApiSettings) -> AsyncIterator[Engine]:
    async with running_worker(api_settings) as engine:
        yield engine
