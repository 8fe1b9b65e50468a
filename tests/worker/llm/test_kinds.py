"""The kinds that ask models for more than a chat, as jobs, against a provider that fails as it is told."""

import base64
import json
from array import array
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from common.database.model import Job
from common.jobs.llm_batch import LlmBatchPayload, llm_batch
from common.jobs.llm_embed import LlmEmbedPayload, llm_embed
from common.jobs.llm_structured import LlmStructuredPayload, llm_structured
from common.queue.client import SubmitOptions
from common.queue.definition import AnyJobKind
from common.queue.status import JobStatus
from tests.faults.kinds.pay import PayPayload, pay
from tests.fixtures.provider import Faults, Provider, Reply
from tests.worker.llm.conftest import Desk, Working

CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "people": {"type": "integer", "minimum": 1}},
    "required": ["city", "people"],
}
SEOUL = '{"city": "Seoul", "people": 9}'


async def run(desk: Desk, kind: AnyJobKind, payload: BaseModel, *, max_attempts: int = 4) -> Job:
    options = SubmitOptions(max_attempts=max_attempts)
    job = await desk.container.queue().submit(kind, payload, owner=desk.owner, options=options)
    return await desk.watcher.ended(job)


def structured(**values: Any) -> LlmStructuredPayload:
    return LlmStructuredPayload(**{"prompt": "Where?", "json_schema": CITY, **values})


def batch(count: int, **values: Any) -> LlmBatchPayload:
    items = [{"custom_id": f"c{number}", "prompt": f"Prompt {number}"} for number in range(count)]
    return LlmBatchPayload.model_validate({"items": items, **values})


def result_of(job: Job) -> dict[str, Any]:
    assert job.result is not None, job.error
    return job.result


def prompts(provider: Provider) -> list[str]:
    return [seen.body["messages"][-1]["content"] for seen in provider.seen]


async def test_an_answer_follows_the_schema_at_once_or_after_a_repair(
    provider: Provider, desk: Desk, working: Working
) -> None:
    wrong = '```json\n{"city": "Seoul", "people": 0}\n```'
    async with working():
        first = result_of(await run(desk, llm_structured, structured()))
        provider.script(Reply(pieces=("Seoul!",)), Reply(pieces=(wrong,)), Reply(pieces=(SEOUL,)))
        mended = result_of(await run(desk, llm_structured, structured()))
    assert (first["value"], first["answers"]) == ({"city": "text", "people": 1}, 1)
    assert (mended["value"], mended["answers"]) == (json.loads(SEOUL), 3)
    assert mended["usage"]["total_tokens"] == 3 * 8
    assert provider.seen[0].body["response_format"]["json_schema"]["schema"] == CITY
    said = [message["content"] for message in provider.seen[-1].body["messages"]]
    assert said[:2] == ["Where?", wrong]
    assert "at people, minimum: 1" in said[2]


@pytest.mark.parametrize(
    ("reply", "values", "said", "calls"),
    [
        (Reply(pieces=("{}",)), {"max_repairs": 1}, "no answer of 2 follows the schema; the last one: at the top", 2),
        (Reply(pieces=('{"city',), finish_reason="length"), {}, "raise max_tokens", 1),
        (Reply(finish_reason="content_filter"), {}, "filter stopped the answer", 1),
        (Reply(pieces=("1",)), {"json_schema": {"allOf": [{"$ref": "#"}]}}, "refers to itself without end", 1),
    ],
)
async def test_an_answer_that_never_follows_is_a_clear_end(
    provider: Provider, desk: Desk, working: Working, reply: Reply, values: dict[str, Any], said: str, calls: int
) -> None:
    provider.script(*[reply] * 5)
    async with working():
        job = await run(desk, llm_structured, structured(**values))
    assert job.error is not None
    assert (job.status, job.error["code"]) == (JobStatus.FAILED, "permanent")
    assert said in job.error["message"]
    assert provider.verdict.distinct == calls


async def test_a_retry_by_the_owner_asks_for_other_answers(provider: Provider, desk: Desk, working: Working) -> None:
    provider.script(*[Reply(pieces=("{}",))] * 2, Reply(pieces=("{}",)), Reply(status=503), Reply(pieces=(SEOUL,)))
    async with working():
        failed = await run(desk, llm_structured, structured(max_repairs=1))
        assert failed.status == JobStatus.FAILED
        async with desk.container.sessions().begin() as db:
            assert await desk.container.jobs().retry(db, failed.id, desk.owner)
        desk.watcher.seen.clear()
        again = await desk.watcher.ended(failed)
    # Two answers of the first life, two of the second; what that had got before a failure is not asked again.
    assert (result_of(again)["value"], result_of(again)["answers"]) == (json.loads(SEOUL), 2)
    assert len(provider.seen) == 5


@pytest.mark.parametrize(
    ("schema", "said"),
    [({"type": "banana"}, "not a JSON schema"), ({"$ref": "http://a/b"}, "into the schema itself")],
)
def test_a_schema_that_cannot_be_used_is_refused_at_the_door(schema: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        structured(json_schema=schema)


async def test_vectors_come_as_numbers_or_packed(provider: Provider, desk: Desk, working: Working) -> None:
    texts = ["red apples", "사과와 배"]
    async with working(embedding_dimensions=64, embedding_max_texts=3):
        plain = await run(desk, llm_embed, LlmEmbedPayload(texts=texts))
        packed = await run(desk, llm_embed, LlmEmbedPayload(texts=texts, encoding="base64"))
        refused = await run(desk, llm_embed, LlmEmbedPayload(texts=["a"] * 4))
    told, packed_told = result_of(plain), result_of(packed)
    assert (told["model"], told["dimension"], told["usage"]["total_tokens"]) == ("text-embedding-3-large", 64, 4)
    vectors = [array("f", base64.b64decode(vector)).tolist() for vector in packed_told["vectors"]]
    assert [pytest.approx(vector, abs=1e-6) for vector in told["vectors"]] == vectors
    assert refused.error is not None
    assert "EMBEDDING_MAX_TEXTS allows 3" in refused.error["message"]
    assert (
        sorted((row.model, row.kind, row.input_tokens) for row in await desk.usage())
        == [("text-embedding-3-large", "llm.embed", 4)] * 2
    )


async def test_vectors_are_not_paid_for_twice(provider: Provider, desk: Desk, working: Working) -> None:
    payload = PayPayload(texts=["one", "two", "three"], point="before", at=2)
    async with working():
        job = await run(desk, pay, payload)
        whole = await run(desk, pay, payload.model_copy(update={"point": None}))
    assert job.attempt == 2
    assert result_of(job)["vectors"] == pytest.approx(result_of(whole)["vectors"])
    asked = [text for seen in provider.seen for text in seen.body["input"]]
    assert asked[:3] == ["one", "two", "three"]
    assert len(asked) == 6


async def test_embeddings_count_against_budgets(provider: Provider, desk: Desk, working: Working) -> None:
    await desk.budget(max_tokens=100)
    dear = [{"name": "text-embedding-3-large", "prices": {"input": "1"}}]
    async with working(llm_over_budget="fail", llm_models=dear):
        fits = await run(desk, llm_embed, LlmEmbedPayload(texts=["word " * 18]))
        refused = await run(desk, llm_embed, LlmEmbedPayload(texts=["word " * 18]))
    assert fits.status == JobStatus.SUCCEEDED
    assert refused.error is not None
    assert "budget" in refused.error["message"]


async def test_every_item_of_a_batch_has_its_own_outcome(provider: Provider, desk: Desk, working: Working) -> None:
    async with working():
        provider.script(Reply(), Reply(status=400, error={"message": "not this one"}))
        job = await run(desk, llm_batch, batch(5, parallel=1))
        told = result_of(job)
        events = [event for event in desk.watcher.seen if event.type == "batch.item"]
    assert [item["custom_id"] for item in told["items"]] == [f"c{number}" for number in range(5)]
    assert (told["succeeded"], told["failed"], told["usage"]["total_tokens"]) == (4, 1, 44)
    bad = told["items"][1]
    assert (bad["status"], bad["error"]["code"]) == ("failed", "permanent")
    assert "not this one" in bad["error"]["message"]
    assert [event.data["custom_id"] for event in events] == [f"c{number}" for number in range(5)]
    assert provider.verdict.most_at_once == 1


async def test_a_batch_goes_on_where_it_was_and_pays_nothing_twice(
    provider: Provider, desk: Desk, working: Working
) -> None:
    provider.faults = Faults(5, {"503": 0.15, "drop": 0.15})
    async with working(llm_cooldown_after=1000):
        job = await run(desk, llm_batch, batch(12), max_attempts=20)
    told = result_of(job)
    assert (told["succeeded"], told["failed"]) == (12, 0)
    assert job.attempt > 1
    assert (provider.verdict.distinct, provider.verdict.repeated) == (12, 0)
    assert provider.verdict.most_at_once <= 8


async def test_the_last_attempt_of_a_batch_tells_what_it_has(provider: Provider, desk: Desk, working: Working) -> None:
    provider.script(Reply(), Reply(status=503), Reply(), Reply(status=503))
    async with working():
        job = await run(desk, llm_batch, batch(3, parallel=1), max_attempts=2)
    told = result_of(job)
    assert [item["status"] for item in told["items"]] == ["succeeded", "failed", "succeeded"]
    assert told["items"][1]["error"] == {"code": "transient", "message": "gpt-4o-mini answered 503"}
    assert prompts(provider) == ["Prompt 0", "Prompt 1", "Prompt 2", "Prompt 1"]


async def test_a_batch_waits_for_limits_without_using_an_attempt(
    provider: Provider, desk: Desk, working: Working
) -> None:
    async with working(llm_concurrency=2):
        job = await run(desk, llm_batch, batch(6, parallel=3), max_attempts=1)
    assert (job.status, job.failures) == (JobStatus.SUCCEEDED, 0)
    assert job.attempt > 1
    assert provider.verdict.most_at_once <= 2
    assert provider.verdict.repeated == 0


def test_items_of_one_name_are_refused() -> None:
    with pytest.raises(ValidationError, match="custom_id is given twice: a"):
        LlmBatchPayload.model_validate({"items": [{"custom_id": "a", "prompt": "x"}] * 2})
