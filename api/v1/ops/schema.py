"""Queues and workers as operators see and steer them."""

from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

_MAX_CONCURRENCY = 10_000  # WORKER_CONCURRENCY's own limit


class QueueRead(BaseModel):
    """One queue now."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    is_paused: bool = Field(description="Nothing is claimed from it; what runs goes on.")
    queued: int
    due: int = Field(description="Queued jobs that may start now: their time has come, and they wait for no other job.")
    running: int
    oldest_at: datetime | None = Field(description="Since when its oldest job could have started.")
    workers: int = Field(description="Workers that claim from it.")
    slots: int = Field(description="How many jobs those workers may run together, of all their queues.")
    ended_per_minute: float | None = Field(description="Jobs that ended, over the last 5 minutes; null when none did.")
    failed_per_minute: float | None = Field(description="Those of them that failed.")
    wait_estimate: float | None = Field(
        description="Seconds that a job submitted now will probably wait; null when nobody can know."
    )


class QueueList(BaseModel):
    """Queues by name."""

    items: list[QueueRead]


class QueuePaused(BaseModel):
    """What was decided about a queue."""

    name: str
    is_paused: bool


class WorkerRead(BaseModel):
    """One worker process."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    host: str
    pid: int
    queues: list[str]
    concurrency: int
    running: int
    is_paused: bool = Field(description="It claims nothing; what it runs goes on.")
    is_draining: bool = Field(description="It also hands back what it still runs after WORKER_DRAIN_GRACE.")
    is_late: bool = Field(description="Its lease has run out: it is cut off, stopped or dead.")
    started_at: datetime
    seen_at: datetime


class WorkerList(BaseModel):
    """Workers, oldest first."""

    items: list[WorkerRead]


class WorkerChange(BaseModel):
    """What a worker should do from its next heartbeat on; what is not given stays."""

    model_config = ConfigDict(extra="forbid")

    is_paused: bool | None = Field(None, description="Claim nothing; false also ends a drain.")
    is_draining: bool | None = Field(None, description="Claim nothing, and hand back what runs longer than its grace.")
    concurrency: int | None = Field(None, ge=1, le=_MAX_CONCURRENCY)

    @model_validator(mode="after")
    def _changes(self) -> Self:
        if self.is_paused is None and self.is_draining is None and self.concurrency is None:
            raise ValueError("give is_paused, is_draining or concurrency")
        if self.is_draining and self.is_paused is False:
            raise ValueError("a worker that drains takes no jobs: leave is_paused out")
        return self
