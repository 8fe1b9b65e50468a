"""Calls of the language-model manager against the provider of the tests."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from common.ports import ChatChunk, ChatMessage, ChatRequest
from tests.fixtures.provider import Provider
from worker.config import WorkerSettings
from worker.llm_manager import LLMManager

KEY = "unusual-form-of-key-4711"
PROMPT = "Something private that only I know"
Build = Callable[..., LLMManager]


def settings(**values: Any) -> WorkerSettings:
    blank = dict.fromkeys(("openai_api_key", "openai_base_url", "local_model_url", "default_model"), "")
    return WorkerSettings(_env_file=None, **{**blank, **values})


@pytest.fixture
async def build(provider: Provider) -> AsyncIterator[Build]:
    built: list[LLMManager] = []

    def make(**values: Any) -> LLMManager:
        found = {"openai_base_url": provider.url, "openai_api_key": KEY, "default_model": "gpt-4o-mini", **values}
        built.append(LLMManager(settings(**found)))
        return built[-1]

    yield make
    for manager in built:
        await manager.aclose()


def ask(**values: Any) -> ChatRequest:
    return ChatRequest(**{"messages": [ChatMessage(role="user", content=PROMPT)], **values})


async def collect(manager: LLMManager, request: ChatRequest) -> list[ChatChunk]:
    return [chunk async for chunk in manager.stream(request)]


def text_of(chunks: list[ChatChunk]) -> str:
    return "".join(chunk.text for chunk in chunks)
