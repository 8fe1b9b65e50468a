"""Cancel and retry by filter, as clients send them and what they are told."""

from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from common.queue.status import JobStatus
from common.repository.job_filter import JobFilter

_Name = Annotated[str | None, Field(None, min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$")]


class JobSelection(BaseModel):
    """Which of your jobs are meant; everything given must match, and something must be given."""

    model_config = ConfigDict(extra="forbid")

    status: list[JobStatus] | None = Field(None, min_length=1, description="Any of these.")
    kind: _Name
    queue: _Name
    tag: _Name
    batch_id: UUID | None = None

    @model_validator(mode="after")
    def _selects(self) -> Self:
        if not self.model_fields_set or all(getattr(self, name) is None for name in self.model_fields_set):
            raise ValueError("select jobs by status, kind, queue, tag or batch_id")
        return self

    def filter(self) -> JobFilter:
        """The selection as the repositories take it."""
        return JobFilter(
            status=self.status or (), kind=self.kind, queue=self.queue, tag=self.tag, batch_id=self.batch_id
        )


class CancelledRead(BaseModel):
    """What a cancel of many jobs did. Call again while `has_more`."""

    model_config = ConfigDict(from_attributes=True)

    cancelled: int = Field(description="Jobs that have stopped: they had not started.")
    requested: int = Field(description="Running jobs that were asked to stop.")
    has_more: bool


class RetriedRead(BaseModel):
    """What a retry of many jobs did. Call again while `has_more`."""

    model_config = ConfigDict(from_attributes=True)

    retried: int
    has_more: bool


class RetryRequest(BaseModel):
    """How to repeat a job."""

    model_config = ConfigDict(extra="forbid")

    payload: dict[str, Any] | None = Field(
        None, description="Another payload of the same kind, instead of the old one."
    )
