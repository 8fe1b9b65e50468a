"""`system.echo`: gives back what it was given; the smallest job, for trying things out."""

from pydantic import BaseModel, ConfigDict, Field

from common.queue.context import JobContext
from common.queue.definition import Retry, job


class SystemEchoPayload(BaseModel):
    """What to say."""

    model_config = ConfigDict(extra="forbid")

    message: str = Field(max_length=100_000, examples=["hello"])


class SystemEchoResult(BaseModel):
    """What was said."""

    message: str


@job("system.echo", retry=Retry(max_attempts=3))
async def system_echo(ctx: JobContext, payload: SystemEchoPayload) -> SystemEchoResult:
    """Return the message as it came."""
    return SystemEchoResult(message=payload.message)
