"""`agent.clean`: removes what agents remember of threads and runs that are over."""

from datetime import timedelta

from pydantic import BaseModel, ConfigDict

from common.queue.context import JobContext
from common.queue.definition import QueueName, Retry, job
from common.schedule.declared import KindSchedule


class AgentCleanPayload(BaseModel):
    """`expire`: empty also threads that nothing has touched for THREAD_RETENTION."""

    model_config = ConfigDict(extra="forbid")

    expire: bool = True


class AgentCleanResult(BaseModel):
    """How many threads had their time, and of how many threads and runs checkpoints were removed."""

    expired: int
    threads: int
    runs: int


@job(
    "agent.clean",
    queue=QueueName.AGENT,
    timeout=timedelta(minutes=10),
    retry=Retry(max_attempts=2),
    retention=timedelta(days=1),
    internal=True,
    schedule=KindSchedule(interval=timedelta(minutes=10)),
)
async def agent_clean(ctx: JobContext, payload: AgentCleanPayload) -> AgentCleanResult:
    """Remove what deleted and expired threads, and runs that failed or were cancelled, have left behind."""
    done = await ctx.ports.agents.clean(expire=payload.expire)
    return AgentCleanResult(expired=done.expired, threads=done.threads, runs=done.runs)
