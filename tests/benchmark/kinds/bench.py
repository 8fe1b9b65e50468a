"""What every engine is given to do: nothing, tell the time, wait."""

import asyncio

from pydantic import BaseModel, ConfigDict

from common.queue.context import JobContext
from common.queue.definition import Retry, job
from tests.benchmark.work import mark_start, now


class NoPayload(BaseModel):
    """Nothing to say."""

    model_config = ConfigDict(extra="forbid")


class WaitPayload(BaseModel):
    """How long to wait."""

    model_config = ConfigDict(extra="forbid")

    seconds: float


class Nothing(BaseModel):
    """No result."""


class Stamp(BaseModel):
    """When the handler ran, on this machine's monotonic clock."""

    at: float


@job("bench.noop")
async def bench_noop(ctx: JobContext, payload: NoPayload) -> Nothing:
    """Return at once."""
    mark_start()
    return Nothing()


@job("bench.stamp")
async def bench_stamp(ctx: JobContext, payload: NoPayload) -> Stamp:
    """Tell when the handler began."""
    return Stamp(at=now())


@job("bench.wait", retry=Retry(max_attempts=3))
async def bench_wait(ctx: JobContext, payload: WaitPayload) -> Nothing:
    """Wait as long as asked."""
    mark_start()
    await asyncio.sleep(payload.seconds)
    return Nothing()
