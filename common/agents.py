"""What a job handler may ask of agents: the port, what goes in and what comes out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol
from uuid import UUID

from pydantic import BaseModel, Field

from common.ports import Usage


class Citation(BaseModel):
    """A passage that an answer rests on. `number` is the one that the answer names in brackets.

    `page` counts from 1, where the document has pages. Without `is_named` the answer names none, and this is what it
    was given to read.
    """

    number: int = Field(ge=1)
    document_id: UUID
    document_name: str
    page: int | None = None
    index: int
    text: str
    score: float
    is_named: bool = True


class AgentInterrupt(BaseModel):
    """Why a run waits for a person. `id` is what a resume answers.

    `expects` says with what: a `text`, an `approval`, or any JSON `value`; a breakpoint takes nothing.
    """

    id: str
    node: str
    expects: Literal["text", "approval", "value", "nothing"]
    question: str | None = None
    details: dict[str, Any] = Field(default_factory=dict)


StreamMode = Literal["values", "updates", "messages", "custom"]


@dataclass(frozen=True, slots=True)
class AgentLimits:
    """What one run of an agent may use over all its attempts: steps of its graph, calls of tools, seconds, tokens."""

    max_steps: int = 25
    max_tool_calls: int = 20
    max_seconds: float = 300.0
    max_tokens: int | None = None
    max_cost: float | None = None


@dataclass(frozen=True, slots=True)
class AgentRequest:
    """One turn. Either `input`, what the user says, or the answer to an interrupt as `resume`.

    Without `thread_id` nothing is remembered after the end of the job. `pause_before` names nodes to stop at.
    """

    input: str | None = None
    resume: Any = None
    is_resume: bool = False
    thread_id: UUID | None = None
    flow: str | None = None
    collection_id: UUID | None = None
    model: str | None = None
    limits: AgentLimits = field(default_factory=AgentLimits)
    stream_modes: frozenset[StreamMode] = frozenset({"messages", "updates"})
    pause_before: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AgentAnswer:
    """How a turn ended: with an answer, or waiting for a person."""

    flow: str
    answer: str | None
    citations: Sequence[Citation]
    steps: int
    tool_calls: int
    usage: Usage
    cost: float | None = None
    interrupt: AgentInterrupt | None = None


@dataclass(frozen=True, slots=True)
class AgentsCleaned:
    """How many threads had their time, and of how many threads and runs checkpoints were removed."""

    expired: int
    threads: int
    runs: int


class AgentListener(Protocol):
    """Where a run tells what it does while it does it."""

    async def emit(self, event_type: str, data: Mapping[str, Any]) -> None: ...

    async def delta(self, text: str) -> None: ...


class Agents(Protocol):
    """The flows of the worker, and what they remember."""

    async def run(self, request: AgentRequest, listener: AgentListener) -> AgentAnswer:
        """One turn; an attempt that comes after a crashed one goes on where that one was.

        Raises `Snooze` while another job holds the thread, `PermanentError` for a thread or flow that does not exist,
        for a limit that was reached and for an answer that does not fit the interrupt, and what the models raise.
        """
        ...

    async def fork(self, source_id: UUID, checkpoint_id: UUID, thread_id: UUID) -> None:
        """Give a new thread what `source_id` remembered at a checkpoint. Raises `PermanentError` when that is gone."""
        ...

    async def forget(self, thread_id: UUID, flow: str) -> None:
        """Remove what a deleted thread remembered; nothing that still runs may write it again."""
        ...

    async def clean(self, *, expire: bool) -> AgentsCleaned:
        """Remove what nobody needs to be remembered: of threads that are over, and of runs without one.

        With `expire` threads that had their time are over, too.
        """
        ...
