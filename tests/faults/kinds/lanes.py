"""`fault.lane_a`, `_b` and `_c`: the same short work in three queues."""

import asyncio

from pydantic import BaseModel, ConfigDict

from common.queue.context import JobContext
from common.queue.definition import job


class LanePayload(BaseModel):
    """How long to take, in seconds."""

    model_config = ConfigDict(extra="forbid")

    seconds: float = 0.05


class LaneResult(BaseModel):
    """Which attempt it was."""

    attempt: int


@job("fault.lane_a", queue="lane-a")
async def lane_a(ctx: JobContext, payload: LanePayload) -> LaneResult:
    """Wait a little."""
    return await _work(ctx, payload)


@job("fault.lane_b", queue="lane-b")
async def lane_b(ctx: JobContext, payload: LanePayload) -> LaneResult:
    """Wait a little."""
    return await _work(ctx, payload)


@job("fault.lane_c", queue="lane-c")
async def lane_c(ctx: JobContext, payload: LanePayload) -> LaneResult:
    """Wait a little."""
    return await _work(ctx, payload)


async def _work(ctx: JobContext, payload: LanePayload) -> LaneResult:
    await asyncio.sleep(payload.seconds)
    return LaneResult(attempt=ctx.attempt)
