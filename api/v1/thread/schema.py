"""Threads as clients write and read them."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from api.v1.job.schema import JobRead
from common.agents import AgentInterrupt, Citation
from common.database.model import Thread, ThreadCheckpoint, ThreadMessage
from common.jobs.agent_run import AgentRunOptions, FlowName
from common.queue.status import JobStatus

_MAX_TEXT = 100_000
_MAX_METADATA = 50

Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=_MAX_TEXT, pattern=r"^[^\x00]*$")]
Metadata = Annotated[dict[str, str], Field(max_length=_MAX_METADATA)]


class Strategy(StrEnum):
    """What a message does when the thread is busy.

    `reject` answers 409; `enqueue` waits its turn; `interrupt` stops what waits and runs, and keeps what that has done;
    `rollback` stops it and undoes what it has done.
    """

    REJECT = "reject"
    ENQUEUE = "enqueue"
    INTERRUPT = "interrupt"
    ROLLBACK = "rollback"


class ThreadStatus(StrEnum):
    """`busy` while a job of it waits or runs, `interrupted` while it waits for a resume."""

    IDLE = "idle"
    BUSY = "busy"
    INTERRUPTED = "interrupted"


class ThreadCreate(BaseModel):
    """A new thread."""

    model_config = ConfigDict(extra="forbid")

    title: Title | None = None
    flow: FlowName = Field("example", description="Which agent answers.")
    collection_id: UUID | None = Field(None, description="Where its searches look.")
    metadata: Metadata | None = None


class ThreadUpdate(BaseModel):
    """What to change; null removes it."""

    model_config = ConfigDict(extra="forbid")

    title: Title | None = None
    collection_id: UUID | None = None
    metadata: Metadata | None = None

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("name something to change")
        return self


class MessagePost(AgentRunOptions):
    """What the user says."""

    content: Text = Field(examples=["What does the contract say about notice?"])
    strategy: Strategy = Strategy.ENQUEUE


class ResumePost(AgentRunOptions):
    """The answer to the interrupt: `answer` to a text, `approved` to an approval, `value` to anything else.

    A breakpoint (`expects: nothing`) takes none of them.
    """

    answer: Text | None = None
    approved: bool | None = None
    note: Text | None = Field(None, description="With `approved`: why.")
    value: Any = None

    @property
    def given(self) -> set[str]:
        """What was answered with."""
        return self.model_fields_set & {"answer", "approved", "value"}


class ForkPost(BaseModel):
    """From where the new thread goes on."""

    model_config = ConfigDict(extra="forbid")

    checkpoint_id: UUID | None = Field(None, description="Left out: the newest.")
    title: Title | None = None


class PendingRun(BaseModel):
    """A job that waits or runs."""

    model_config = ConfigDict(from_attributes=True)

    job_id: UUID
    status: JobStatus
    strategy: str | None
    content: str | None


class ThreadRead(BaseModel):
    """A thread."""

    id: UUID
    title: str | None
    flow: str
    collection_id: UUID | None
    status: ThreadStatus
    interrupt: AgentInterrupt | None
    pending: list[PendingRun] = Field(description="Jobs that wait or run, in their order.")
    message_count: int
    forked_from: UUID | None
    metadata: dict[str, str] | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, thread: Thread, pending: list[PendingRun]) -> Self:
        """The thread as its owner sees it."""
        is_interrupted = thread.interrupt is not None
        idle = ThreadStatus.INTERRUPTED if is_interrupted else ThreadStatus.IDLE
        return cls(
            id=thread.id,
            title=thread.title,
            flow=thread.flow,
            collection_id=thread.collection_id,
            status=ThreadStatus.BUSY if pending else idle,
            interrupt=AgentInterrupt.model_validate(thread.interrupt) if thread.interrupt and not pending else None,
            pending=pending,
            message_count=thread.message_count,
            forked_from=thread.forked_from,
            metadata=thread.annotations,
            created_at=thread.created_at,
            updated_at=thread.updated_at,
        )


class ThreadPage(BaseModel):
    """Threads, newest first. `next_cursor` is missing on the last page."""

    items: list[ThreadRead]
    next_cursor: str | None


class ThreadFork(BaseModel):
    """The new thread, and the job that copies what it remembers; messages wait for that."""

    thread: ThreadRead
    job: JobRead


class MessageRead(BaseModel):
    """Something that was said."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    seq: int
    role: str
    content: str
    citations: list[Citation] | None
    job_id: UUID | None
    created_at: datetime

    @classmethod
    def of(cls, message: ThreadMessage) -> Self:
        """The message as its owner sees it."""
        return cls.model_validate(message)


class MessagePage(BaseModel):
    """Messages, newest first."""

    items: list[MessageRead]
    next_cursor: str | None


class CheckpointRead(BaseModel):
    """One step of a run: what comes `next`, and the values but for the messages."""

    checkpoint_id: UUID
    parent_id: UUID | None
    job_id: UUID
    step: int
    source: str
    next: list[str]
    values: dict[str, Any]
    message_count: int
    interrupt: AgentInterrupt | None
    created_at: datetime

    @classmethod
    def of(cls, checkpoint: ThreadCheckpoint) -> Self:
        """The step as its owner sees it."""
        shown = {name: getattr(checkpoint, name) for name in cls.model_fields if name != "values"}
        return cls(values=checkpoint.state, **shown)


class CheckpointPage(BaseModel):
    """Steps, newest first."""

    items: list[CheckpointRead]
    next_cursor: str | None


class ThreadState(BaseModel):
    """What the thread remembers at a checkpoint; `messages` are the last hundred, oldest first."""

    thread_id: UUID
    status: ThreadStatus
    checkpoint: CheckpointRead | None
    messages: list[MessageRead]
