"""What cannot fit a model's window is refused before anybody is asked, and before money is kept back."""

from decimal import Decimal

from common.jobs.llm_embed import LlmEmbedPayload, llm_embed
from tests.fixtures.provider import Provider, Reply
from tests.worker.llm.conftest import DEAR, Desk, Working

SMALL = {"name": "small", "context_window": 100, "prices": DEAR}
WIDE = {"name": "wide", "context_window": 1000}


async def test_a_conversation_that_cannot_fit_is_refused_with_the_numbers(
    provider: Provider, desk: Desk, working: Working
) -> None:
    await desk.budget(max_cost=Decimal(100_000))
    provider.script(Reply(), Reply(), Reply(status=503))
    async with working(llm_models=[SMALL, WIDE], llm_fallbacks={"wide": ["small"]}):
        # 480 characters are at least 80 tokens, and a turn comes to three more.
        whole = await desk.ask("x" * 480, model="small", max_tokens=17)
        long = await desk.ask("x" * 480, model="small", max_tokens=18)
        longer = await desk.ask("x" * 600, model="small")
        _, reserved, count = await desk.books()
        wide = await desk.ask("x" * 600, model="wide")
        alone = await desk.ask("x" * 600, model="wide", max_attempts=1)
        texts = LlmEmbedPayload(texts=["short", "x" * 6 * 8193])
        vectors = await desk.watcher.ended(await desk.container.queue().submit(llm_embed, texts, owner=desk.owner))
    assert (whole.error, wide.error) == (None, None)
    assert long.error == {
        "code": "permanent",
        "cause": "prompt_too_long",
        "message": "the conversation has at least 83 tokens and max_tokens is 18; small takes 100 together "
        "(context_window)",
        "model": "small",
        "input_tokens": 83,
        "max_tokens": 18,
        "context_window": 100,
    }
    assert longer.error is not None
    assert longer.error["message"].startswith("the conversation has at least 103 tokens; small takes 100")
    assert (reserved, count) == (Decimal(0), 0)
    # A model that cannot take it does not stand in, either.
    assert alone.error is not None
    assert "wide answered 503" in alone.error["message"]
    assert [seen.body["model"] for seen in provider.seen] == ["small", "wide", "wide"]
    assert vectors.error is not None
    assert vectors.error["message"].startswith("text 2 has at least 8193 tokens; text-embedding-3-large reads 8192")
