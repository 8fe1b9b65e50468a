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
    running: int
    oldest_at: datetime | None = Field(description="Since when its oldest job could have started.")
    workers: int = Field(description="Workers that claim from it.")
    slots: int = Field(description="How many jobs those workers may run together, of all their queues.")


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
    is_late: bool = Field(description="Its lease has run out: it is cut off, stopped or dead.")
    started_at: datetime
    seen_at: datetime


class WorkerList(BaseModel):
    """Workers, oldest first."""

    items: list[WorkerRead]


class WorkerChange(BaseModel):
    """What a worker should do from its next heartbeat on; what is not given stays."""

    model_config = ConfigDict(extra="forbid")

    is_paused: bool | None = None
    concurrency: int | None = Field(None, ge=1, le=_MAX_CONCURRENCY)

    @model_validator(mode="after")
    def _changes(self) -> Self:
        if self.is_paused is None and self.concurrency is None:
            raise ValueError("give is_paused or concurrency")
        return self
