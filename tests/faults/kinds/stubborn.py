"""`fault.stubborn`: swallows its cancellation and goes on."""

import asyncio
from time import monotonic

from pydantic import BaseModel, ConfigDict

from common.queue.context import JobContext
from common.queue.definition import job


class StubbornPayload(BaseModel):
    """How long to go on, whoever objects."""

    model_config = ConfigDict(extra="forbid")

    seconds: float


class StubbornResult(BaseModel):
    """Nothing to say."""


@job("fault.stubborn")
async def stubborn(ctx: JobContext, payload: StubbornPayload) -> StubbornResult:
    """Wait to the end, cancelled or not."""
    end = monotonic() + payload.seconds
    while (left := end - monotonic()) > 0:
        try:
            await asyncio.sleep(left)
        except asyncio.CancelledError:
            continue
    return StubbornResult()
