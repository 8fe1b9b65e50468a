"""`thread.delete`: remove what a deleted thread remembered."""

from datetime import timedelta
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from common.queue.context import JobContext
from common.queue.definition import QueueName, Retry, job

_FAR = 50


class ThreadDeletePayload(BaseModel):
    """Which thread, of which flow."""

    model_config = ConfigDict(extra="forbid")

    thread_id: UUID
    flow: str


class ThreadDeleteResult(BaseModel):
    """The thread that is gone."""

    thread_id: UUID


@job(
    "thread.delete",
    queue=QueueName.AGENT,
    timeout=timedelta(minutes=1),
    retry=Retry(max_attempts=_FAR),
    retention=timedelta(days=1),
    internal=True,
)
async def thread_delete(ctx: JobContext, payload: ThreadDeletePayload) -> ThreadDeleteResult:
    """Remove the checkpoints; repeating it does no harm."""
    await ctx.ports.agents.forget(payload.thread_id, payload.flow)
    return ThreadDeleteResult(thread_id=payload.thread_id)
