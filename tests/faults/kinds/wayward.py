"""`fault.wayward`: does in each attempt what its payload says."""

import asyncio
from datetime import timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict

from common.errors import PermanentError, Snooze, TransientError
from common.queue.context import JobContext
from common.queue.definition import job

type Step = Literal["snooze", "retry_after", "permanent", "overrun", "wrap_up"]


class WaywardPayload(BaseModel):
    """What to do in the first attempt, the second and so on; then succeed. `delay` in seconds, `reason` of a snooze."""

    model_config = ConfigDict(extra="forbid")

    steps: list[Step]
    delay: float = 0.3
    reason: str = "not yet"


class WaywardResult(BaseModel):
    """Which attempt it was, and how much time it had left, in seconds."""

    attempt: int
    time_left: float
    is_late: bool


@job("fault.wayward", timeout=timedelta(seconds=60))
async def wayward(ctx: JobContext, payload: WaywardPayload) -> WaywardResult:
    """Follow the steps."""
    step = payload.steps[ctx.attempt - 1] if ctx.attempt <= len(payload.steps) else None
    delay = timedelta(seconds=payload.delay)
    match step:
        case "snooze":
            raise Snooze(delay, payload.reason)
        case "retry_after":
            raise TransientError("too many requests", retry_after=delay)
        case "permanent":
            raise PermanentError("never")
        case "overrun":
            await asyncio.sleep(3600)
        case "wrap_up":
            await ctx.until_late()
    return WaywardResult(attempt=ctx.attempt, time_left=ctx.time_left.total_seconds(), is_late=ctx.is_late)
