"""What the model is made of: its guards, rows, tasks and workers."""

from dataclasses import dataclass, field
from enum import StrEnum

TERMINAL = frozenset({"succeeded", "failed", "cancelled"})
MAX_CRASHES, MAX_FAILURES = 3, 3


class Guard(StrEnum):
    """A rule of the design, by what it is good for."""

    FENCE = "an end names the attempt it ends"
    CLAIM = "only a queued job is claimed"
    CANCEL_IN_FINISH = "a job whose cancel was requested does not succeed"
    CANCEL_IN_REAPER = "a cancelled job of a dead worker ends"
    MONOTONIC = "the attempt number is never given back"
    REAPER = "jobs of dead workers are taken back"
    HAND_BACK = "a worker hands back what it holds and does not run"
    TIMER = "what waits too long is dispatched again"
    EPOCH = "an emptied Redis is noticed"
    POLL = "workers look into PostgreSQL"
    UNIQUE_KEY = "one job for one idempotency key"
    UNIQUE_SLOT = "one job for one slot of a schedule"


class Violation(Exception):  # noqa: N818  it is what the walk looks for, not an error
    """A promise was broken."""


@dataclass(slots=True, eq=False)
class Row:
    """A job; `holder` is the claim that holds it in truth, which no statement may look at."""

    status: str = "queued"
    attempt: int = 0
    failures: int = 0
    crashes: int = 0
    lease: "Worker | None" = None
    is_cancelling: bool = False
    holder: int = 0
    is_accepted: bool = False
    cancel_was_answered: bool = False


@dataclass(slots=True, eq=False)
class Task:
    """What a worker believes it runs."""

    row: Row
    attempt: int
    claim: int


@dataclass(slots=True, eq=False)
class Worker:
    """A process and its lease."""

    tasks: list[Task] = field(default_factory=list)
    is_alive: bool = True
    is_paused: bool = False
    has_lease: bool = True

    @property
    def acts(self) -> bool:
        return self.is_alive and not self.is_paused
