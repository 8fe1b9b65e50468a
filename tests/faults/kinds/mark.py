"""`fault.mark`: writes down that it ran, where no database can hide it, and waits."""

import asyncio
import os

from pydantic import BaseModel, ConfigDict

from common.errors import TransientError
from common.queue.context import JobContext
from common.queue.definition import job


class MarkPayload(BaseModel):
    """Where to write and how long to take; attempts up to `failures` end with an error that may pass."""

    model_config = ConfigDict(extra="forbid")

    path: str
    seconds: float = 0
    failures: int = 0


class MarkResult(BaseModel):
    """Which attempt it was."""

    attempt: int


@job("fault.mark")
async def mark(ctx: JobContext, payload: MarkPayload) -> MarkResult:
    """Append one line `<job id> <attempt> <process id>`; lines this short are written whole."""
    with open(payload.path, "a", encoding="ascii") as file:  # noqa: ASYNC230  one line
        file.write(f"{ctx.job_id} {ctx.attempt} {os.getpid()}\n")
    await asyncio.sleep(payload.seconds)
    if ctx.attempt <= payload.failures:
        raise TransientError("not yet")
    return MarkResult(attempt=ctx.attempt)
