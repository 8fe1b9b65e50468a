"""Managers of embedding models under settings of the test's own."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from common.container import CommonContainer
from tests.fixtures.provider import Provider
from worker.config import WorkerSettings
from worker.embedding.manager import EmbeddingManager
from worker.llm.flow import FlowControl

KEY = "unusual-form-of-key-4711"
_BLANK = ("openai_api_key", "openai_base_url", "embedding_model", "embedding_dimensions")

type Build = Callable[..., EmbeddingManager]


@pytest.fixture
async def build(container: CommonContainer) -> AsyncIterator[Build]:
    """Makes managers that know no provider but the one that they are told."""
    built: list[tuple[EmbeddingManager, FlowControl]] = []

    def make(**values: Any) -> EmbeddingManager:
        settings = WorkerSettings(_env_file=None, **{**dict.fromkeys(_BLANK, ""), **values})
        flow = FlowControl.of(settings, container.redis(), container.keys())
        built.append((EmbeddingManager(settings, flow), flow))
        return built[-1][0]

    yield make
    for manager, flow in built:
        await manager.aclose()
        await flow.aclose()


@pytest.fixture
def with_provider(provider: Provider, build: Build) -> Build:
    """Makes managers of the test's provider."""

    def make(**values: Any) -> EmbeddingManager:
        return build(**{"openai_base_url": provider.url, "openai_api_key": KEY, **values})

    return make
