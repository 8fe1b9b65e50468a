"""Jobs and events as a client gets them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

TERMINAL = frozenset({"succeeded", "failed", "cancelled", "expired"})


class Job(BaseModel):
    """A job. Fields that a newer api adds are kept too."""

    model_config = ConfigDict(extra="allow", frozen=True)

    id: str
    kind: str
    status: str
    attempt: int
    progress: dict[str, Any] | None = None
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None

    @property
    def has_ended(self) -> bool:
        """Whether the job will not change any more, unless it is retried."""
        return self.status in TERMINAL


class JobEvent(BaseModel):
    """One numbered fact about a job. `first_seq` is below `seq` where text came in one larger piece."""

    model_config = ConfigDict(frozen=True)

    job_id: str
    epoch: str
    seq: int
    type: str
    ts: datetime
    attempt: int
    data: dict[str, Any]
    first_seq: int | None = None

    @property
    def first(self) -> int:
        """The first number that this event stands for."""
        return self.seq if self.first_seq is None else self.first_seq

    @property
    def is_terminal(self) -> bool:
        """Whether this is the job's last event."""
        return self.type.removeprefix("job.") in TERMINAL and self.type.startswith("job.")


@dataclass(frozen=True, slots=True)
class JobReset:
    """Numbers up to `seq` of `epoch` are not to be had: forget what was streamed, `job` replaces what you knew."""

    job_id: str
    epoch: str | None
    seq: int
    job: Job | None


@dataclass(frozen=True, slots=True)
class Place:
    """The last event that was seen: keep it, and a later `events` goes on behind it."""

    seq: int = 0
    epoch: str | None = None


type Item = JobEvent | JobReset


@dataclass(frozen=True, slots=True)
class ThreadEvent:
    """Something of a thread: the `item` of its job `turn`, or None where jobs were left out: read its messages again.

    Keep the last `place`, and a later `thread_events` goes on behind it.
    """

    place: str
    turn: int | None = None
    item: Item | None = None


def read_reset(data: dict[str, Any]) -> JobReset:
    """A reset from an acknowledgement, a `job:reset`, or the first frame of a stream."""
    snapshot = data.get("snapshot")
    job = None if snapshot is None else Job.model_validate(snapshot)
    return JobReset(str(data["job_id"]), data.get("epoch"), int(data["seq"]), job)
