"""Jobs as clients send them. Durations are seconds, moments are UTC."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Self
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

from common.queue.options import Notify, OnFailure, SubmitOptions, Unique, UniqueMode

MAX_DELAY = timedelta(days=365)
MAX_TIMEOUT = timedelta(days=1)
MAX_ATTEMPTS = 100
MAX_TAGS = 20
MAX_METADATA_BYTES = 16 * 1024


def is_time_text(value: object) -> object:
    """Numbers would be taken for Unix times, in seconds or in milliseconds."""
    if not isinstance(value, str):
        raise ValueError("must be a text like 2030-01-31T09:00:00+09:00")
    return value


def _is_near(moment: datetime) -> datetime:
    if moment > datetime.now(UTC) + MAX_DELAY:
        raise ValueError(f"must be within the next {MAX_DELAY.days} days")
    return moment


def is_storable(metadata: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """PostgreSQL's JSON knows neither NaN nor the character U+0000."""
    try:
        text = json.dumps(metadata, allow_nan=False, ensure_ascii=False)
        size = len(text.encode())
    except ValueError as error:
        raise ValueError("holds a number or text that JSON cannot carry") from error
    if size > MAX_METADATA_BYTES:
        raise ValueError(f"has {size} bytes as JSON; {MAX_METADATA_BYTES} are allowed")
    if re.search(r"(?<!\\)(?:\\\\)*\\u0000", text):
        raise ValueError("must not contain the character U+0000")
    return metadata


def is_printable(text: str) -> str:
    """PostgreSQL's text knows not the character U+0000, and lists are easier to read without the other ones."""
    if not text.isprintable():
        raise ValueError("must hold printable characters only")
    return text


_Seconds = Annotated[float, Strict(), Field(allow_inf_nan=False)]
_Integer = Annotated[int, Strict()]
_Tag = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$")]


class UniqueRequest(BaseModel):
    """One job at a time for a key. The answer names the job that stands for the key, `deduplicated` if it was there.

    `while_active`: the job that waits or runs. `throttle`: the one accepted within the last `period`. `debounce`: a job
    starts `period` after the last submit with the newest payload, at most `max_delay` after the first. `keep_last`: one
    job runs and one waits for its end, with the newest payload.
    """

    model_config = ConfigDict(extra="forbid")

    mode: UniqueMode
    key: Annotated[str, AfterValidator(is_printable)] | None = Field(
        None, min_length=1, max_length=255, description="Default: the payload. Keys of other kinds and owners differ."
    )
    period: _Seconds | None = Field(None, gt=0, le=MAX_DELAY.total_seconds(), description="For throttle and debounce.")
    max_delay: _Seconds | None = Field(
        None, gt=0, le=MAX_DELAY.total_seconds(), description="For debounce. Default: ten periods."
    )

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        self.option()
        return self

    def option(self) -> Unique:
        """The choice as the queue takes it. Raises `ValueError` when its parts do not fit."""
        return Unique(self.mode, self.key, _duration(self.period), _duration(self.max_delay))


class SubmitRequest(BaseModel):
    """What every kind's request has in common; `kind` and `payload` are narrowed for each."""

    model_config = ConfigDict(extra="forbid")

    kind: str
    payload: BaseModel
    priority: _Integer = Field(0, ge=-100, le=100, description="Head start in minutes over jobs of the same queue.")
    delay: _Seconds | None = Field(
        None, ge=0, le=MAX_DELAY.total_seconds(), description="Start this many seconds from now, not earlier."
    )
    run_at: Annotated[AwareDatetime, BeforeValidator(is_time_text), AfterValidator(_is_near)] | None = Field(
        None,
        description="Start at this moment, not earlier; instead of `delay`.",
        examples=["2030-01-31T09:00:00+09:00"],
    )
    expires_in: _Seconds | None = Field(
        None,
        gt=0,
        le=MAX_DELAY.total_seconds(),
        description="Give up when the job has not started within this many seconds.",
    )
    max_attempts: _Integer | None = Field(None, ge=1, le=MAX_ATTEMPTS, description="Default: the kind's.")
    timeout: _Seconds | None = Field(
        None, gt=0, le=MAX_TIMEOUT.total_seconds(), description="Seconds for one attempt. Default: the kind's."
    )
    tags: list[_Tag] = Field(default_factory=list, max_length=MAX_TAGS, description="Words to find jobs by.")
    metadata: Annotated[dict[str, JsonValue], AfterValidator(is_storable)] | None = Field(
        None, description="Anything you want to find on the job again."
    )
    custom_id: Annotated[str, AfterValidator(is_printable)] | None = Field(
        None, min_length=1, max_length=255, description="Your own name for the job."
    )
    unique: UniqueRequest | None = Field(None, description="Let one job stand for many submits.")
    after: list[UUID] = Field(
        default_factory=list, description="Jobs of yours whose ends this one waits for; at most MAX_DEPENDENCIES."
    )
    on_failure: OnFailure = Field(
        OnFailure.FAIL, description="What becomes of this job when one in `after` does not succeed."
    )
    notify: Notify | None = Field(
        None, description="Mail you, at your verified address, when the job ends in success, in failure, or in both."
    )

    webhook: Annotated[str, AfterValidator(is_printable)] | None = Field(
        None, min_length=1, max_length=2000, description="Id or URL of a webhook of yours, to be told of the end."
    )

    @model_validator(mode="after")
    def _starts_once(self) -> Self:
        if self.delay is not None and self.run_at is not None:
            raise ValueError("delay and run_at exclude each other; give one of them")
        debounces = self.unique is not None and self.unique.mode is UniqueMode.DEBOUNCE
        if debounces and not (self.delay is None and self.run_at is None):
            raise ValueError("debounce says itself when the job starts; leave delay and run_at out")
        return self

    def options(self, request_id: str) -> SubmitOptions:
        """The choices of this request, as the queue takes them."""
        # A moment long ago may be too early for the database; it means "now" anyway.
        is_past = self.run_at is not None and self.run_at <= datetime.now(UTC)
        return SubmitOptions(
            priority=self.priority,
            run_at=None if is_past else self.run_at,
            delay=timedelta(seconds=self.delay or 0),
            expires_in=_duration(self.expires_in),
            max_attempts=self.max_attempts,
            timeout=_duration(self.timeout),
            tags=tuple(dict.fromkeys(self.tags)),
            metadata=self.metadata,
            request_id=request_id,
            custom_id=self.custom_id,
            unique=None if self.unique is None else self.unique.option(),
            after=tuple(dict.fromkeys(self.after)),
            on_failure=self.on_failure,
            webhook=self.webhook,
            notify=self.notify,
        )


def _duration(seconds: float | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)
