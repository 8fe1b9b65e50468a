"""Jobs as clients send and see them. Durations are seconds, moments are UTC."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    Strict,
    model_validator,
)

from common.database.model import Attempt, Job
from common.queue.client import SubmitOptions
from common.queue.definition import AnyJobKind
from common.queue.status import JobStatus

MAX_DELAY = timedelta(days=365)
MAX_TIMEOUT = timedelta(days=1)
MAX_ATTEMPTS = 100
MAX_TAGS = 20
MAX_METADATA_BYTES = 16 * 1024


def _is_text(value: object) -> object:
    """Numbers would be taken for Unix times, in seconds or in milliseconds."""
    if not isinstance(value, str):
        raise ValueError("must be a text like 2030-01-31T09:00:00+09:00")
    return value


def _is_near(moment: datetime) -> datetime:
    if moment > datetime.now(UTC) + MAX_DELAY:
        raise ValueError(f"must be within the next {MAX_DELAY.days} days")
    return moment


def _is_storable(metadata: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """PostgreSQL's JSON knows neither NaN nor the character U+0000."""
    try:
        text = json.dumps(metadata, allow_nan=False, ensure_ascii=False)
        size = len(text.encode())
    except ValueError as error:
        raise ValueError("holds a number or text that JSON cannot carry") from error
    if size > MAX_METADATA_BYTES:
        raise ValueError(f"has {size} bytes as JSON; {MAX_METADATA_BYTES} are allowed")
    if re.search(r"(?<!\\)(?:\\\\)*\\u0000", text):
        raise ValueError("must not contain the character U+0000")
    return metadata


_Seconds = Annotated[float, Strict(), Field(allow_inf_nan=False)]
_Integer = Annotated[int, Strict()]
_Tag = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$")]


class SubmitRequest(BaseModel):
    """What every kind's request has in common; `kind` and `payload` are narrowed for each."""

    model_config = ConfigDict(extra="forbid")

    kind: str
    payload: BaseModel
    priority: _Integer = Field(0, ge=-100, le=100, description="Head start in minutes over jobs of the same queue.")
    delay: _Seconds | None = Field(
        None, ge=0, le=MAX_DELAY.total_seconds(), description="Start this many seconds from now, not earlier."
    )
    run_at: Annotated[AwareDatetime, BeforeValidator(_is_text), AfterValidator(_is_near)] | None = Field(
        None,
        description="Start at this moment, not earlier; instead of `delay`.",
        examples=["2030-01-31T09:00:00+09:00"],
    )
    expires_in: _Seconds | None = Field(
        None,
        gt=0,
        le=MAX_DELAY.total_seconds(),
        description="Give up when the job has not started within this many seconds.",
    )
    max_attempts: _Integer | None = Field(None, ge=1, le=MAX_ATTEMPTS, description="Default: the kind's.")
    timeout: _Seconds | None = Field(
        None, gt=0, le=MAX_TIMEOUT.total_seconds(), description="Seconds for one attempt. Default: the kind's."
    )
    tags: list[_Tag] = Field(default_factory=list, max_length=MAX_TAGS, description="Words to find jobs by.")
    metadata: Annotated[dict[str, JsonValue], AfterValidator(_is_storable)] | None = Field(
        None, description="Anything you want to find on the job again."
    )

    @model_validator(mode="after")
    def _starts_once(self) -> Self:
        if self.delay is not None and self.run_at is not None:
            raise ValueError("delay and run_at exclude each other; give one of them")
        return self

    def options(self, request_id: str) -> SubmitOptions:
        """The choices of this request, as the queue takes them."""
        # A moment long ago may be too early for the database; it means "now" anyway.
        is_past = self.run_at is not None and self.run_at <= datetime.now(UTC)
        return SubmitOptions(
            priority=self.priority,
            run_at=None if is_past else self.run_at,
            delay=timedelta(seconds=self.delay or 0),
            expires_in=_duration(self.expires_in),
            max_attempts=self.max_attempts,
            timeout=_duration(self.timeout),
            tags=tuple(dict.fromkeys(self.tags)),
            metadata=self.metadata,
            request_id=request_id,
        )


class Waiting(BaseModel):
    """Why a queued job has not started: its time has not come, a retry is due later, or no worker took it yet."""

    reason: str = Field(examples=["worker"])
    until: datetime | None = None


class JobSummary(BaseModel):
    """A job without its payload and result, as lists show it."""

    id: UUID
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
    request_id: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    cancel_requested_at: datetime | None
    updated_at: datetime

    @classmethod
    def of(cls, job: Job) -> Self:
        """The job as its owner may see it."""
        special = {"timeout": job.timeout.total_seconds(), "waiting": waiting(job), "metadata": job.annotations}
        plain = {name: getattr(job, name) for name in cls.model_fields if name not in special}
        return cls.model_validate({**plain, **special})


class JobRead(JobSummary):
    """A job."""

    result: dict[str, Any] | None


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


def waiting(job: Job) -> Waiting | None:
    """Why a job has not started; None when it is not queued."""
    if job.status != JobStatus.QUEUED:
        return None
    until = job.run_at if job.run_at > datetime.now(UTC) else None
    if job.waiting is not None:
        return Waiting(reason=job.waiting, until=until)
    reason: Literal["schedule", "retry", "worker"] = "worker"
    if until is not None:
        reason = "retry" if job.failures else "schedule"
    return Waiting(reason=reason, until=until)


def _duration(seconds: float | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)
