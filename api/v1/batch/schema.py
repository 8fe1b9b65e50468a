"""Batches as clients send and see them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    create_model,
)

from api.problem import Problem
from api.v1.job.request_schema import is_storable
from api.v1.job.schema import SubmittedSummary
from common.database.model import Batch
from common.queue.status import TERMINAL, JobStatus


@dataclass(frozen=True, slots=True)
class WrongItem:
    """An item that is not a request for a job, and what is wrong with it."""

    body: object
    error: ValidationError


class BatchRequest(BaseModel):
    """Jobs to submit together. An item that cannot be accepted does not stop the others."""

    model_config = ConfigDict(extra="forbid")

    jobs: list[Any]
    metadata: Annotated[dict[str, JsonValue], AfterValidator(is_storable)] | None = Field(
        None, description="Anything you want to find on the batch again."
    )


def build_batch_request(union: Any) -> Any:
    """The type of the body, documented as a list of `union`; wrong items are kept as `WrongItem`."""
    item = Annotated[union, WrapValidator(_keep_wrong)]
    return create_model(
        "BatchRequest",
        __base__=BatchRequest,
        __doc__=BatchRequest.__doc__,
        jobs=(list[item], Field(min_length=1, description="At most MAX_BATCH_ITEMS.")),
    )


def _keep_wrong(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    try:
        return validate(value)
    except ValidationError as error:
        return WrongItem(value, error)


class BatchItem(BaseModel):
    """What became of one item: its job, or why there is none."""

    status: int = Field(description="What a submit of this item alone would have answered.", examples=[202])
    job: SubmittedSummary | None = None
    error: Problem | None = None


class BatchSubmitted(BaseModel):
    """A batch, with one outcome per item in the order of the request."""

    id: UUID
    items: list[BatchItem]


class BatchRead(BaseModel):
    """How far a batch is."""

    id: UUID
    owner_id: UUID
    total: int = Field(description="Accepted jobs.")
    counts: dict[JobStatus, int] = Field(description="Jobs by status.")
    purged: int = Field(description="Ended jobs that retention has removed.")
    progress: float = Field(description="How much has ended, from 0 to 1.")
    metadata: dict[str, Any] | None
    created_at: datetime

    @classmethod
    def of(cls, batch: Batch, counts: dict[str, int]) -> Self:
        """The batch as its owner may see it."""
        by_status = {status: counts.get(status, 0) for status in JobStatus}
        active = sum(count for status, count in by_status.items() if status not in TERMINAL)
        return cls(
            id=batch.id,
            owner_id=batch.owner_id,
            total=batch.total,
            counts=by_status,
            purged=batch.total - sum(by_status.values()),
            progress=1.0 if batch.total == 0 else (batch.total - active) / batch.total,
            metadata=batch.annotations,
            created_at=batch.created_at,
        )
