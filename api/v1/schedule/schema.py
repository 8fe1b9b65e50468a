"""Schedules as clients send and see them. Durations are seconds, moments are UTC."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    Strict,
    model_validator,
)
from pydantic_core import to_json

from api.v1.job.request_schema import MAX_ATTEMPTS, MAX_TAGS, MAX_TIMEOUT, is_printable, is_storable, is_time_text
from api.v1.job.schema import JobSummary
from common.database.model import CatchUp, Firing, FiringOutcome, Job, Overlap, Schedule, ScheduleStatus
from common.queue.options import Notify
from common.schedule.cron import CronExpression
from common.schedule.trigger import is_timezone

_FIRST, _LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
_LONGEST = 366 * 86_400


def _is_near(moment: datetime) -> datetime:
    if not _FIRST <= moment <= _LAST:
        raise ValueError(f"must lie between {_FIRST.year} and {_LAST.year}")
    return moment.astimezone(UTC)


def _is_cron(text: str) -> str:
    CronExpression(text)
    return text.strip()


def _is_zone(name: str) -> str:
    if not is_timezone(name):
        raise ValueError("must be the name of an IANA time zone, like Asia/Seoul")
    return name


Moment = Annotated[AwareDatetime, BeforeValidator(is_time_text), AfterValidator(_is_near)]
Seconds = Annotated[float, Strict(), Field(allow_inf_nan=False)]
Cron = Annotated[str, AfterValidator(_is_cron)]
Zone = Annotated[str, Field(max_length=100), AfterValidator(_is_zone)]
Name = Annotated[str, AfterValidator(is_printable), Field(min_length=1, max_length=200)]
_Tag = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$")]


class JobOptions(BaseModel):
    """What every job of a schedule gets, as in a submit."""

    model_config = ConfigDict(extra="forbid")

    priority: Annotated[int, Strict()] = Field(0, ge=-100, le=100)
    expires_in: Seconds | None = Field(None, gt=0, le=_LONGEST)
    max_attempts: Annotated[int, Strict()] | None = Field(None, ge=1, le=MAX_ATTEMPTS)
    timeout: Seconds | None = Field(None, gt=0, le=MAX_TIMEOUT.total_seconds())
    tags: list[_Tag] = Field(default_factory=list, max_length=MAX_TAGS)
    metadata: Annotated[dict[str, JsonValue], AfterValidator(is_storable)] = Field(default_factory=dict)
    notify: Notify | None = Field(None, description="Mail you when a job ends like this.")


class ScheduleCreate(JobOptions):
    """When to submit which job: one of `cron`, `interval` and `run_at`, and the job's kind and payload."""

    name: Name = Field(examples=["nightly report"])
    kind: str = Field(max_length=200, examples=["system.echo"])
    payload: dict[str, JsonValue] = Field(
        default_factory=dict,
        description="Texts may hold {{ slot }}, {{ slot_date }}, {{ slot_time }}, {{ last_slot }}, {{ fired_at }}, "
        "{{ timezone }}, {{ schedule_id }} and {{ schedule_name }}.",
        examples=[{"message": "It is {{ slot_date }}"}],
    )
    cron: Cron | None = Field(None, description="Five fields, or an alias like @daily.", examples=["30 9 * * 1-5"])
    interval: Seconds | None = Field(None, gt=0, le=_LONGEST)
    run_at: Moment | None = None
    timezone: Zone = Field("UTC", examples=["Asia/Seoul"])
    starts_at: Moment | None = Field(None, description="No slot before.")
    ends_at: Moment | None = Field(None, description="No slot after.")
    jitter: Seconds = Field(0, ge=0, le=86_400, description="Start each slot up to this much later, evenly spread.")
    overlap: Overlap = Field(Overlap.SKIP, description="While the job of the slot before has not ended.")
    catch_up: CatchUp = Field(CatchUp.FIRE_ONCE, description="For slots that were missed.")
    catch_up_window: Seconds = Field(86_400, ge=0, le=_LONGEST, description="Older slots are never fired.")
    paused: bool = False

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if sum(each is not None for each in (self.cron, self.interval, self.run_at)) != 1:
            raise ValueError("give exactly one of cron, interval and run_at")
        if self.starts_at is not None and self.ends_at is not None and self.starts_at > self.ends_at:
            raise ValueError("starts_at must not be after ends_at")
        return self

    def columns(self) -> dict[str, Any]:
        """What the request says, as a schedule's row keeps it."""
        plain = {name: getattr(self, name) for name in ("name", "kind", "payload", "cron", "run_at", "timezone")}
        return {
            **plain,
            "every": None if self.interval is None else timedelta(seconds=self.interval),
            "starts_at": self.starts_at,
            "ends_at": self.ends_at,
            "jitter": timedelta(seconds=self.jitter),
            "overlap": str(self.overlap),
            "catch_up": str(self.catch_up),
            "catch_up_window": timedelta(seconds=self.catch_up_window),
            "options": self.model_dump(mode="json", include=set(JobOptions.model_fields), exclude_defaults=True),
        }


class ScheduleUpdate(JobOptions):
    """What to change; what is left out stays. Giving `cron`, `interval` or `run_at` replaces the one that was there."""

    name: Name | None = None
    kind: str | None = Field(None, max_length=200)
    payload: dict[str, JsonValue] | None = None
    cron: Cron | None = None
    interval: Seconds | None = Field(None, gt=0, le=_LONGEST)
    run_at: Moment | None = None
    timezone: Zone | None = None
    starts_at: Moment | None = None
    ends_at: Moment | None = None
    jitter: Seconds | None = Field(None, ge=0, le=86_400)
    overlap: Overlap | None = None
    catch_up: CatchUp | None = None
    catch_up_window: Seconds | None = Field(None, ge=0, le=_LONGEST)

    def apply_to(self, before: "ScheduleRead") -> ScheduleCreate:
        """The whole schedule after the change. Raises pydantic's `ValidationError`."""
        wanted = before.model_dump(mode="json", include=set(ScheduleCreate.model_fields))
        given = self.model_dump(mode="json", exclude_unset=True)
        if {"cron", "interval", "run_at"} & set(given):
            wanted |= {"cron": None, "interval": None, "run_at": None}
        return ScheduleCreate.model_validate_json(to_json({**wanted, **given}))


class ScheduleRead(JobOptions):
    """A schedule."""

    id: UUID
    owner_id: UUID
    name: str
    status: ScheduleStatus
    reason: str | None = Field(description="Why it was disabled.")
    kind: str
    payload: dict[str, Any]
    cron: str | None
    interval: float | None
    run_at: datetime | None
    timezone: str
    starts_at: datetime | None
    ends_at: datetime | None
    jitter: float
    overlap: Overlap
    catch_up: CatchUp
    catch_up_window: float
    next_run_at: datetime | None = Field(description="The next slot; None while it is not active.")
    last_run_at: datetime | None = Field(description="The last slot that fired.")
    last_job_id: UUID | None
    version: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, schedule: Schedule) -> Self:
        """The schedule as its owner sees it."""
        special = {
            "interval": None if schedule.every is None else schedule.every.total_seconds(),
            "jitter": schedule.jitter.total_seconds(),
            "catch_up_window": schedule.catch_up_window.total_seconds(),
            "next_run_at": schedule.next_slot if schedule.status == ScheduleStatus.ACTIVE else None,
            "last_run_at": schedule.last_slot,
        }
        known = {*special, *JobOptions.model_fields}
        plain = {name: getattr(schedule, name) for name in cls.model_fields if name not in known}
        return cls.model_validate({**plain, **special, **schedule.options})


class SchedulePage(BaseModel):
    """Schedules, newest first. `next_cursor` is missing on the last page."""

    items: list[ScheduleRead]
    next_cursor: str | None


class FiringRead(BaseModel):
    """What a slot did. `lag` is how late it was; `job` is missing when it was skipped or its job was purged."""

    schedule_id: UUID
    slot: datetime
    fired_at: datetime
    lag: float
    cause: str = Field(examples=["schedule"], description="schedule, catch_up, buffered, backfill or manual.")
    outcome: FiringOutcome
    detail: str | None
    job_id: UUID | None
    job: JobSummary | None

    @classmethod
    def of(cls, firing: Firing, job: Job | None) -> Self:
        """The firing as the schedule's owner sees it."""
        plain = {name: getattr(firing, name) for name in cls.model_fields if name not in ("lag", "job")}
        shown = None if job is None else JobSummary.of(job)
        return cls.model_validate({**plain, "lag": firing.lag.total_seconds(), "job": shown})


class FiringPage(BaseModel):
    """Firings, the newest slot first. `next_cursor` is missing on the last page."""

    items: list[FiringRead]
    next_cursor: str | None


class SlotRead(BaseModel):
    """A time that is still to come."""

    slot: datetime
    local: str = Field(description="The same in the schedule's time zone.", examples=["2030-01-31T09:00:00+09:00"])


class Preview(BaseModel):
    """The next slots."""

    items: list[SlotRead]


class BackfillRequest(BaseModel):
    """Which window to fire again: from `start` until before `end`, both past."""

    model_config = ConfigDict(extra="forbid")

    start: Moment
    end: Moment


class BackfillRead(BaseModel):
    """The slots that were fired. Those that had fired before are left out."""

    items: list[FiringRead]
