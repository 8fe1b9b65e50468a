"""Why a queued job has not started: the reasons, and what its row and the state of its queue tell about them."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from common.database.model import Job
from common.queue.status import JobStatus


class WaitReason(StrEnum):
    """What holds a queued job back. `queue`: nothing but that its turn has not come."""

    SCHEDULE = "schedule"
    RETRY = "retry"
    SNOOZED = "snoozed"
    DEPENDENCY = "dependency"
    CONCURRENCY = "concurrency"
    RATE = "rate"
    BUDGET = "budget"
    COOLDOWN = "cooldown"
    UNKNOWN_KIND = "unknown_kind"
    PAUSED = "paused"
    NO_WORKER = "no_worker"
    QUEUE = "queue"


_NOTES = {
    "mail_limit": WaitReason.RATE,
    **{str(each): each for each in (WaitReason.RETRY, WaitReason.SNOOZED, WaitReason.UNKNOWN_KIND)},
    **{str(each): each for each in (WaitReason.RATE, WaitReason.BUDGET, WaitReason.COOLDOWN)},
}


@dataclass(frozen=True, slots=True)
class Lanes:
    """Which queues nobody may claim from, and which have a worker that claims."""

    paused: frozenset[str]
    served: frozenset[str]


@dataclass(frozen=True, slots=True)
class Wait:
    """Why a job waits. `until` is when it may start at the earliest, `message` what put it off said."""

    reason: WaitReason
    until: datetime | None = None
    message: str | None = None


def find_wait(job: Job, now: datetime, lanes: Lanes | None = None) -> Wait | None:
    """Why a job has not started, None when it is not queued. Without `lanes` nothing is known about its queue."""
    if job.status != JobStatus.QUEUED:
        return None
    until = job.run_at if job.run_at > now else None
    if job.pending_after:
        return Wait(WaitReason.DEPENDENCY, until)
    if until is not None:
        return _put_off(job, until)
    if lanes is not None and job.queue in lanes.paused:
        return Wait(WaitReason.PAUSED)
    if lanes is not None and job.queue not in lanes.served:
        return Wait(WaitReason.NO_WORKER)
    return Wait(WaitReason.CONCURRENCY if job.waiting == WaitReason.CONCURRENCY else WaitReason.QUEUE)


def _put_off(job: Job, until: datetime) -> Wait:
    """A job whose time is later: what its row notes is a reason, `reason: words`, or the words of a snooze."""
    if job.waiting is None:
        return Wait(WaitReason.RETRY if job.failures or job.attempt else WaitReason.SCHEDULE, until)
    note, _, words = job.waiting.partition(": ")
    if note in _NOTES:
        return Wait(_NOTES[note], until, words or None)
    return Wait(WaitReason.SNOOZED, until, job.waiting)
