"""What may differ from one job of a kind to the next."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from common.queue.limits import ConcurrencyLimit


class UniqueMode(StrEnum):
    """What a submit does when its unique key is taken."""

    WHILE_ACTIVE = "while_active"
    THROTTLE = "throttle"
    DEBOUNCE = "debounce"
    KEEP_LAST = "keep_last"


@dataclass(frozen=True, slots=True)
class Unique:
    """One job at a time for a key of one owner and kind; without `key`, for the same payload.

    `while_active` answers with the job that waits or runs; `throttle` with the one accepted within the last `period`.
    `debounce` starts a job `period` after the last submit, with the newest payload, at most `max_delay` after the
    first (ten periods when not given). `keep_last` lets one job run and one wait, which gets the newest payload.
    """

    mode: UniqueMode
    key: str | None = None
    period: timedelta | None = None
    max_delay: timedelta | None = None

    def __post_init__(self) -> None:
        has_period = self.mode in (UniqueMode.THROTTLE, UniqueMode.DEBOUNCE)
        if has_period != (self.period is not None):
            raise ValueError(f"{self.mode} {'needs a' if has_period else 'takes no'} period")
        if self.max_delay is not None and self.mode is not UniqueMode.DEBOUNCE:
            raise ValueError(f"{self.mode} takes no max_delay")


class OnFailure(StrEnum):
    """What becomes of a job when one that it waits for does not succeed."""

    FAIL = "fail"
    RUN = "run"
    CANCEL = "cancel"


class Notify(StrEnum):
    """About which end of a job its owner gets a mail."""

    SUCCESS = "success"
    FAILURE = "failure"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class SubmitOptions:
    """What may differ from one job of a kind to the next; None means the kind's own value.

    `priority` is a head start in minutes (-100 to 100); `run_at` or `delay` says when to start; a job not started
    within `expires_in` ends as expired. It starts after the jobs in `after` have ended; `on_failure` says what
    happens when one of them did not succeed. `custom_id` is the submitter's own name for the job. `notify` says about
    which end its owner gets a mail, `webhook` (id or URL) which endpoint of the owner is called.
    """

    priority: int = 0
    run_at: datetime | None = None
    delay: timedelta = timedelta(0)
    expires_in: timedelta | None = None
    max_attempts: int | None = None
    timeout: timedelta | None = None
    tags: tuple[str, ...] = ()
    metadata: dict[str, Any] | None = None
    request_id: str | None = None
    concurrency: ConcurrencyLimit | None = None
    custom_id: str | None = None
    unique: Unique | None = None
    after: tuple[UUID, ...] = ()
    on_failure: OnFailure = OnFailure.FAIL
    notify: Notify | None = None
    webhook: str | None = None
