"""Every row of docs/llm-faults.md, as jobs meet it."""

import pytest

from common.jobs.llm_chat import LlmChatPayload, llm_chat
from common.jobs.llm_embed import LlmEmbedPayload, llm_embed
from common.queue.client import SubmitOptions
from tests.fixtures.provider import Provider, Reply
from tests.worker.llm.conftest import Desk, Working

AGAIN, FOR_GOOD, PUT_OFF = "retries_exhausted", "permanent", "put off"
BOTH = (
    (Reply(status=503), AGAIN, "answered 503"),
    (Reply(status=408), AGAIN, "answered 408"),
    (Reply(status=409), AGAIN, "answered 409"),
    (Reply(status=500), AGAIN, "answered 500"),
    (Reply(status=401), FOR_GOOD, "check OPENAI_API_KEY"),
    (Reply(status=403), FOR_GOOD, "check OPENAI_API_KEY"),
    (Reply(status=404, error={"message": "no such model"}), FOR_GOOD, "no such model"),
    (Reply(status=400, error={"message": "too odd"}), FOR_GOOD, "too odd"),
    (Reply(delay=60), AGAIN, "did not answer in time"),
    (Reply(ending="stall"), AGAIN, "did not answer in time"),
    (Reply(ending="drop"), AGAIN, "broke off"),
    (Reply(ending="malformed"), AGAIN, "cannot be read"),
)
CHATS = (
    *BOTH,
    (Reply(ending="cut"), AGAIN, "may be cut off"),
    (Reply(ending="error", error={"message": "overloaded"}), AGAIN, "overloaded"),
    (Reply(status=429, headers={"Retry-After": "60"}), PUT_OFF, "cooldown"),
)
EMBEDDINGS = (
    *BOTH,
    (Reply(vectors=((1.0,), (1.0,))), AGAIN, "sent 2 vectors for 1"),
    (Reply(vectors=((1.0, 0.0),)), AGAIN, "of 2 numbers instead of 3072"),
    (Reply(vectors=((float("inf"),),)), AGAIN, "cannot be used"),
    (Reply(status=429, headers={"Retry-After": "60"}), PUT_OFF, "cooldown"),
)
QUICK = {
    "llm_first_piece_timeout": 4,
    "llm_idle_timeout": 4,
    "embedding_timeout": 4,
    "llm_cooldown_after": 1000,
}


@pytest.mark.parametrize("kind", ["llm.chat", "llm.embed"])
async def test_every_fault_ends_as_documented(provider: Provider, desk: Desk, working: Working, kind: str) -> None:
    found = []
    async with working(**QUICK):
        for reply, ending, said in CHATS if kind == "llm.chat" else EMBEDDINGS:
            provider.script(reply)
            found.append((await _end(desk, kind, waits=ending == PUT_OFF), ending, said))
    wrong = [(told, ending, said) for told, ending, said in found if told[0] != ending or said not in told[1]]
    assert wrong == []


async def _end(desk: Desk, kind: str, *, waits: bool) -> tuple[str, str]:
    """How a job ended, or that it was put off, and why."""
    options = SubmitOptions(max_attempts=1)
    queue = desk.container.queue()
    if kind == "llm.chat":
        job = await queue.submit(llm_chat, LlmChatPayload(prompt="Hi"), owner=desk.owner, options=options)
    else:
        job = await queue.submit(llm_embed, LlmEmbedPayload(texts=["Hi"]), owner=desk.owner, options=options)
    if waits:
        event = await desk.watcher.until(job.id, "job.retrying")
        assert event.data["reason"] == "snoozed"
        async with desk.container.sessions()() as db:
            row = await desk.container.jobs().find(db, job.id, desk.owner)
        assert row is not None
        return PUT_OFF, str(row.waiting)
    row = await desk.watcher.ended(job)
    assert row.error is not None, row.result
    return row.error["code"], row.error["message"]
