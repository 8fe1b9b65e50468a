"""Jobs as clients see them. Durations are seconds, moments are UTC."""

from collections.abc import Callable
from datetime import UTC, datetime
from operator import attrgetter
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json

from common.database.model import Attempt, Job
from common.queue.client import Cancelled, CancelWay
from common.queue.definition import AnyJobKind
from common.queue.placement import Placed
from common.queue.status import JobStatus
from common.queue.waiting import Lanes, WaitReason, find_wait


class Waiting(BaseModel):
    """Why a queued job has not started, as far as that is known without a closer look (`GET /jobs/{id}/waiting`).

    `schedule`, `retry`, `snoozed`, `rate`, `budget`, `cooldown`: it was put off `until` then; `dependency`: it waits
    for other jobs; `concurrency`: others hold all places of a limit; `paused`, `no_worker`: nobody may or does take
    jobs from its queue; `unknown_kind`: the worker that took it is of another release; `queue`: it waits for its turn.
    """

    model_config = ConfigDict(from_attributes=True)

    reason: WaitReason
    until: datetime | None = Field(None, description="When it may start at the earliest.")
    message: str | None = Field(None, description="What it was put off with.")


class JobSummary(BaseModel):
    """A job without its payload and result, as lists show it."""

    id: UUID
    owner_id: UUID
    kind: str
    queue: str
    status: JobStatus
    priority: int
    run_at: datetime
    expires_at: datetime | None
    attempt: int = Field(description="How often it was started.")
    failures: int
    max_attempts: int
    timeout: float
    progress: dict[str, Any] | None
    error: dict[str, Any] | None
    waiting: Waiting | None
    tags: list[str]
    metadata: dict[str, Any] | None
    batch_id: UUID | None
    custom_id: str | None
    request_id: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    cancel_requested_at: datetime | None
    updated_at: datetime

    @classmethod
    def of(cls, job: Job, lanes: Lanes | None = None) -> Self:
        """The job as its owner may see it; `lanes` tell what holds up its queue."""
        shown = {name: _READERS[name](job) for name in cls.model_fields if name in _READERS}
        if lanes is not None:
            shown["waiting"] = waiting(job, lanes)
        return cls.model_validate(shown)


class JobRead(JobSummary):
    """A job."""

    result: dict[str, Any] | None


class PayloadRead(BaseModel):
    """What a job works on."""

    kind: str
    payload: dict[str, Any]

    @classmethod
    def of(cls, job: Job) -> Self:
        """The payload as the job's owner may see it."""
        return cls(kind=job.kind, payload=job.payload)


_Deduplicated = Annotated[
    bool, Field(description="Present and true when the job was there before, for the same unique key.")
]


class SubmittedJob(JobRead):
    """The job that stands for a submit."""

    deduplicated: _Deduplicated = False


class CancelledJob(JobRead):
    """The job that was to be stopped."""

    cancel_way: CancelWay = Field(
        CancelWay.ROW,
        description="What stops it: `row`, it was waiting and is cancelled; `hint`, its worker was told just now; "
        "`heartbeat`, its worker reads it with its next heartbeat.",
    )

    @classmethod
    def of_cancelled(cls, cancelled: Cancelled) -> Self:
        """The answer to a cancel."""
        return cls.of(cancelled.job).model_copy(update={"cancel_way": cancelled.way})


class SubmittedSummary(JobSummary):
    """The job that stands for an item of a batch, without its result."""

    deduplicated: _Deduplicated = False

    @classmethod
    def of_placed(cls, placed: Placed) -> Self:
        """The outcome of an item; `deduplicated` is set only when it says something."""
        shown = cls.of(placed.job)
        return shown if placed.is_new else shown.model_copy(update={"deduplicated": True})


class JobPage(BaseModel):
    """Jobs, newest first. `next_cursor` is missing on the last page."""

    items: list[JobSummary]
    next_cursor: str | None


class AttemptRead(BaseModel):
    """One execution that has ended."""

    model_config = ConfigDict(from_attributes=True)

    attempt: int
    outcome: str
    worker_id: UUID
    error: dict[str, Any] | None
    started_at: datetime
    finished_at: datetime


class AttemptList(BaseModel):
    """Every ended attempt of a job, oldest first."""

    items: list[AttemptRead]

    @classmethod
    def of(cls, attempts: list[Attempt]) -> Self:
        """The attempts as their owner may see them."""
        return cls(items=[AttemptRead.model_validate(attempt) for attempt in attempts])


class KindRead(BaseModel):
    """A kind of job: where it runs, for how long, what it takes and gives (JSON Schema)."""

    name: str
    description: str
    queue: str
    timeout: float
    max_attempts: int
    payload: dict[str, Any]
    result: dict[str, Any]

    @classmethod
    def of(cls, kind: AnyJobKind) -> Self:
        """The kind as clients may know it."""
        return cls(
            name=kind.name,
            description=kind.description,
            queue=kind.queue,
            timeout=kind.timeout.total_seconds(),
            max_attempts=kind.retry.max_attempts,
            payload=kind.payload.model_json_schema(),
            result=kind.result.model_json_schema(mode="serialization"),
        )


class KindList(BaseModel):
    """Every kind that can be submitted."""

    items: list[KindRead]


def waiting(job: Job, lanes: Lanes | None = None) -> Waiting | None:
    """Why a job has not started; None when it is not queued."""
    found = find_wait(job, datetime.now(UTC), lanes)
    return None if found is None else Waiting.model_validate(found)


_SPECIAL: dict[str, Callable[[Job], Any]] = {
    "timeout": lambda job: job.timeout.total_seconds(),
    "waiting": waiting,
    "metadata": attrgetter("annotations"),
}
_READERS: dict[str, Callable[[Job], Any]] = {
    name: _SPECIAL.get(name) or attrgetter(name) for name in JobRead.model_fields
}


def job_json(job: Job, lanes: Lanes | None = None, **more: bool) -> bytes:
    """The JSON of `JobRead`, and of what `more` adds to it: written from the row, whose values were checked before."""
    shown = {name: read(job) for name, read in _READERS.items()}
    if lanes is not None:
        shown["waiting"] = waiting(job, lanes)
    return to_json(shown | more, inf_nan_mode="null")
