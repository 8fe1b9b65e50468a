"""`agent.run`: one turn with an agent, told step by step while it runs."""

from datetime import timedelta
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from common.agents import AgentInterrupt, AgentLimits, AgentRequest, Citation, StreamMode
from common.ports import Usage
from common.queue.context import JobContext
from common.queue.definition import QueueName, Retry, job

_MAX_INPUT = 100_000

FlowName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
NodeName = Annotated[str, StringConstraints(min_length=1, max_length=64)]
ModelName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class AgentRunLimits(BaseModel):
    """Where a run ends, whatever it still wants to do, over all its attempts. What it had done is kept."""

    model_config = ConfigDict(extra="forbid")

    max_steps: int = Field(25, ge=1, le=200, description="Nodes of the graph, one after the other.")
    max_tool_calls: int = Field(20, ge=0, le=200, description="Searches and other tools.")
    max_seconds: float = Field(300, gt=0, le=3600, description="That its attempts run, together.")
    max_tokens: int | None = Field(None, ge=1, description="Read and written, over all calls of models.")
    max_cost: float | None = Field(None, gt=0, description="In US dollars, for models whose price is known.")


def _usual_modes() -> list[StreamMode]:
    return ["messages", "updates"]


class AgentRunOptions(BaseModel):
    """What a turn may ask for, wherever it is asked."""

    model_config = ConfigDict(extra="forbid")

    model: ModelName | None = Field(None, description="Left out: the worker's default model.")
    limits: AgentRunLimits = Field(default_factory=AgentRunLimits)
    stream_modes: list[StreamMode] = Field(
        default_factory=_usual_modes,
        max_length=4,
        description="`messages`: `llm.delta`; `updates`: `agent.update` for each node; `values`: `agent.values`, the "
        "whole state after each step; `custom`: `agent.custom`, what nodes say of themselves.",
    )
    pause_before: list[NodeName] = Field(
        default_factory=list, max_length=20, description="Nodes to stop at; resume the thread to go on."
    )


class AgentRunPayload(AgentRunOptions):
    """What the user says, or with `resume` the answer to an interrupt of the thread."""

    input: str | None = Field(None, min_length=1, max_length=_MAX_INPUT, examples=["What is a lease?"])
    resume: Any = Field(None, description="For the interrupt that the thread waits at.")
    thread_id: UUID | None = Field(None, description="Left out: the run remembers nothing after its end.")
    flow: FlowName | None = Field(None, description="For a run without a thread; left out: `example`.")
    collection_id: UUID | None = Field(None, description="Where to search; left out: the thread's.")

    @model_validator(mode="after")
    def _one_way_on(self) -> Self:
        if (self.input is None) == ("resume" not in self.model_fields_set):
            raise ValueError("give either input or resume, and not both")
        if self.input is None and self.thread_id is None:
            raise ValueError("only a thread can be resumed: give thread_id")
        return self


class AgentRunResult(BaseModel):
    """How the turn ended. With `interrupt` it waits for a person: resume its thread.

    `steps`, `tool_calls`, `usage` and `cost` are those of all its attempts.
    """

    thread_id: UUID | None
    flow: str
    answer: str | None
    citations: list[Citation]
    steps: int
    tool_calls: int
    usage: Usage
    cost: float | None = None
    interrupt: AgentInterrupt | None = None


@job("agent.run", queue=QueueName.AGENT, timeout=timedelta(minutes=15), retry=Retry(max_attempts=4))
async def agent_run(ctx: JobContext, payload: AgentRunPayload) -> AgentRunResult:
    """Let an agent take one turn: route, search, answer with citations, or ask back."""
    if ctx.attempt > 1 and "messages" in payload.stream_modes:
        await ctx.emit("llm.reset", {"attempt": ctx.attempt})
    request = AgentRequest(
        input=payload.input,
        resume=payload.resume,
        is_resume=payload.input is None,
        thread_id=payload.thread_id,
        flow=payload.flow,
        collection_id=payload.collection_id,
        model=payload.model,
        limits=AgentLimits(**payload.limits.model_dump()),
        stream_modes=frozenset(payload.stream_modes),
        pause_before=tuple(payload.pause_before),
    )
    done = await ctx.ports.agents.run(request, ctx.events)
    return AgentRunResult(
        thread_id=payload.thread_id,
        flow=done.flow,
        answer=done.answer,
        citations=list(done.citations),
        steps=done.steps,
        tool_calls=done.tool_calls,
        usage=done.usage,
        cost=done.cost,
        interrupt=done.interrupt,
    )
