"""Why a job waits, in full."""

from typing import Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api.v1.job.schema import Waiting
from common.queue.status import JobStatus
from common.repository.waiting import LimitUse


class AwaitedRead(BaseModel):
    """A job whose end is waited for."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    kind: str
    status: JobStatus
    on_failure: str = Field(description="What happens to the waiting job when this one does not succeed.")


class LimitRead(BaseModel):
    """A limit on how many jobs run at a time, and how much of it is taken."""

    scope: str = Field(description="`kind`, `owner`, `key` (the submit's own) or `crashed` (alone since a crash).")
    key: str | None = Field(description="The kind's name, or the submit's concurrency key.")
    limit: int
    running: int = Field(description="Jobs that take places now, also those of others.")
    holders: list[UUID] = Field(description="Up to ten of these jobs, as far as you may see them.")

    @classmethod
    def of(cls, use: LimitUse, *, tells_holders: bool) -> Self:
        """The limit in its submitter's words."""
        scope, _, rest = use.key.partition(":")
        names = {"kind": rest, "key": rest.partition(":")[2]}
        holders = list(use.holders) if tells_holders else []
        return cls(scope=scope, key=names.get(scope), limit=use.value, running=use.running, holders=holders)


class QueueFacts(BaseModel):
    """The queue of a waiting job."""

    name: str
    is_paused: bool
    workers: int = Field(description="Workers that claim from it.")
    slots: int = Field(description="How many jobs those workers may run together, of all their queues.")
    ended_per_minute: float | None = Field(description="Over the last 5 minutes; null when none ended.")


class WaitingRead(BaseModel):
    """Why a job has not started, with the facts. Everything but `status` is null or empty when it is not queued."""

    job_id: UUID
    status: JobStatus
    waiting: Waiting | None
    queue: QueueFacts | None
    position: int | None = Field(description="Its place among the jobs of its queue that may start; 1 is the next.")
    is_position_exact: bool = Field(description="False: counting stopped, it is further back than `position`.")
    estimate: float | None = Field(description="Seconds until it probably starts; null when nobody can know.")
    awaits: list[AwaitedRead] = Field(description="Jobs that it waits for, at most 100.")
    limits: list[LimitRead] = Field(description="Every limit that it falls under.")
