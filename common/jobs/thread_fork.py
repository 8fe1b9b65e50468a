"""`thread.fork`: give a new thread what another one remembered."""

from datetime import timedelta
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from common.queue.context import JobContext
from common.queue.definition import QueueName, job


class ThreadForkPayload(BaseModel):
    """From which checkpoint to which new thread."""

    model_config = ConfigDict(extra="forbid")

    source_id: UUID
    checkpoint_id: UUID
    thread_id: UUID


class ThreadForkResult(BaseModel):
    """The new thread."""

    thread_id: UUID


@job("thread.fork", queue=QueueName.AGENT, timeout=timedelta(minutes=1), retention=timedelta(days=1), internal=True)
async def thread_fork(ctx: JobContext, payload: ThreadForkPayload) -> ThreadForkResult:
    """Copy the checkpoints that lead to one."""
    await ctx.ports.agents.fork(payload.source_id, payload.checkpoint_id, payload.thread_id)
    return ThreadForkResult(thread_id=payload.thread_id)
