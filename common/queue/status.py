"""The states of a job and who may move it where. A database trigger refuses every other move."""

from enum import StrEnum


class JobStatus(StrEnum):
    """`queued` also covers waiting for a time, a retry or a limit; the last four are terminal."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"

    @property
    def is_terminal(self) -> bool:
        return self in TERMINAL


TERMINAL = frozenset({JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.EXPIRED})

_Q, _R = JobStatus.QUEUED, JobStatus.RUNNING
TRANSITIONS: frozenset[tuple[JobStatus, JobStatus]] = frozenset(
    {
        (_Q, _R),  # a worker claims it
        (_Q, JobStatus.CANCELLED),  # the owner cancels it before it starts
        (_Q, JobStatus.EXPIRED),  # nobody started it in time
        (_Q, JobStatus.FAILED),  # a job it depends on did not succeed
        (_R, JobStatus.SUCCEEDED),
        (_R, JobStatus.FAILED),
        (_R, JobStatus.CANCELLED),
        (_R, JobStatus.EXPIRED),
        (_R, _Q),  # retry, snooze, drain, or a dead worker's lease
        (JobStatus.FAILED, _Q),  # the owner retries it
        (JobStatus.CANCELLED, _Q),
        (JobStatus.EXPIRED, _Q),
    }
)


def is_allowed(before: JobStatus, after: JobStatus) -> bool:
    """Whether a row may move from `before` to `after`; staying where it is is no move."""
    return before is after or (before, after) in TRANSITIONS


class ErrorCode(StrEnum):
    """Why a job failed (`error.code`)."""

    PERMANENT = "permanent"
    RETRIES_EXHAUSTED = "retries_exhausted"
    TIMEOUT = "timeout"
    POISON = "poison"
    INVALID_PAYLOAD = "invalid_payload"
    INVALID_RESULT = "invalid_result"
    RESULT_TOO_LARGE = "result_too_large"
    DEPENDENCY_FAILED = "dependency_failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class AttemptOutcome(StrEnum):
    """How one execution ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    RETRIED = "retried"
    CANCELLED = "cancelled"
    SNOOZED = "snoozed"
    RELEASED = "released"
    CRASHED = "crashed"
