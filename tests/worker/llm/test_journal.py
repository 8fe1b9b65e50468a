"""What was paid for is not paid for again: equal and different calls, errors on the way, workers that die."""

from pathlib import Path

import pytest

from common.config import CommonSettings
from common.container import CommonContainer
from common.queue.status import JobStatus
from common.repository.job import Owner
from tests.faults.kinds.pay import PayPayload, Point, pay
from tests.fixtures.provider import Provider, Reply
from tests.fixtures.workers import Watcher, running_worker
from tests.worker.llm.conftest import Working

TOOLS = ["search", "search", "send"]


@pytest.mark.parametrize(
    ("point", "at", "calls"),
    [
        ("before", 1, ["search", "search", "send"]),
        ("after", 1, ["search", "search", "send"]),
        ("after", 2, ["search", "search", "send"]),
        ("inside", 1, ["search", "search", "search", "send"]),  # it failed, so there was nothing to keep
    ],
)
async def test_a_retry_goes_on_after_what_was_kept(
    container: CommonContainer,
    settings: CommonSettings,
    owner: Owner,
    watcher: Watcher,
    tmp_path: Path,
    point: Point,
    at: int,
    calls: list[str],
) -> None:
    book = tmp_path / "book"
    async with running_worker(settings):
        payload = PayPayload(tools=TOOLS, book=str(book), point=point, at=at)
        row = await watcher.ended(await container.queue().submit(pay, payload, owner=owner))
    assert (row.status, row.attempt) == (JobStatus.SUCCEEDED, 2)
    assert book.read_text().splitlines() == calls
    # Each answer tells how long the book was: replayed ones are those of the first attempt.
    answers = [1, 3, 4] if point == "inside" else [1, 2, 3]
    assert row.result == {"texts": [], "answers": answers, "vectors": []}


async def test_answers_of_models_are_told_again(
    container: CommonContainer, owner: Owner, watcher: Watcher, provider: Provider, working: Working
) -> None:
    provider.script(*[Reply(pieces=(str(number),)) for number in range(3)])
    async with working():
        payload = PayPayload(prompts=["a", "a", "b"], point="after", at=1)
        row = await watcher.ended(await container.queue().submit(pay, payload, owner=owner))
    assert row.attempt == 2
    assert row.result == {"texts": ["0", "1", "2"], "answers": [], "vectors": []}
    assert [seen.body["messages"][0]["content"] for seen in provider.seen] == ["a", "a", "b"]
