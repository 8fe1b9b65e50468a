"""`fault.block`: a handler that does what handlers must not: it holds the event loop."""

import time

from pydantic import BaseModel, ConfigDict

from common.queue.context import JobContext
from common.queue.definition import job


class BlockPayload(BaseModel):
    """How long, and whether by computing (which also holds the interpreter) or by waiting."""

    model_config = ConfigDict(extra="forbid")

    seconds: float
    computes: bool = False


class BlockResult(BaseModel):
    """Nothing to say."""


@job("fault.block")
async def block(ctx: JobContext, payload: BlockPayload) -> BlockResult:
    """Hold the loop for the given seconds."""
    end = time.monotonic() + payload.seconds
    while payload.computes and time.monotonic() < end:
        sum(range(1000))
    time.sleep(max(end - time.monotonic(), 0))  # noqa: ASYNC251  holding the loop is the point
    return BlockResult()
