"""`system.sleep`: waits and reports its progress; for trying out waiting, cancelling and recovery."""

import asyncio
from datetime import timedelta
from time import monotonic

from pydantic import BaseModel, ConfigDict, Field

from common.queue.context import JobContext
from common.queue.definition import job

_STEP = 0.25


class SystemSleepPayload(BaseModel):
    """How long to wait."""

    model_config = ConfigDict(extra="forbid")

    seconds: float = Field(ge=0, le=3600, examples=[3])


class SystemSleepResult(BaseModel):
    """How long it took."""

    seconds: float


@job("system.sleep", timeout=timedelta(hours=2))
async def system_sleep(ctx: JobContext, payload: SystemSleepPayload) -> SystemSleepResult:
    """Wait for the given seconds, reporting progress as time passes."""
    started = monotonic()
    while (left := payload.seconds - (monotonic() - started)) > 0:
        await ctx.progress(payload.seconds - left, payload.seconds)
        await asyncio.sleep(min(left, _STEP))
    await ctx.progress(1)
    return SystemSleepResult(seconds=round(monotonic() - started, 3))
