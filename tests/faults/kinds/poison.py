"""`fault.poison`: kills the worker that runs it, each time."""

import os
import signal

from pydantic import BaseModel, ConfigDict

from common.queue.context import JobContext
from common.queue.definition import job


class PoisonPayload(BaseModel):
    """Nothing to say."""

    model_config = ConfigDict(extra="forbid")


class PoisonResult(BaseModel):
    """Never seen."""


@job("fault.poison")
async def poison(ctx: JobContext, payload: PoisonPayload) -> PoisonResult:
    """End this process as the kernel does when memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)
    return PoisonResult()
