"""`fault.stream`: says numbered words, as a language model would, and can be killed in the middle."""

import asyncio

from pydantic import BaseModel, ConfigDict

from common.queue.context import JobContext
from common.queue.definition import job


class StreamPayload(BaseModel):
    """How many words, and how many a second."""

    model_config = ConfigDict(extra="forbid")

    words: int
    per_second: float


class StreamResult(BaseModel):
    """All of it."""

    text: str


@job("fault.stream")
async def stream(ctx: JobContext, payload: StreamPayload) -> StreamResult:
    """Say `0 1 2 …`."""
    if ctx.attempt > 1:
        await ctx.emit("llm.reset", {"attempt": ctx.attempt})
    words = [f"{number} " for number in range(payload.words)]
    for word in words:
        await ctx.delta(word)
        await asyncio.sleep(1 / payload.per_second)
    return StreamResult(text="".join(words))
