"""What clients may send over Socket.IO. Anything else is answered with `{ok: false, error: {code, message}}`."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Handshake(_Request):
    """The `auth` object of the connection."""

    token: Annotated[str, StringConstraints(strict=True, min_length=1, max_length=4096)] | None = None


class JobRequest(_Request):
    """`job:unsubscribe` and `job:cancel`."""

    job_id: UUID


class SubscribeRequest(JobRequest):
    """`job:subscribe`: everything after `after_seq`, from the beginning when it is left out.

    `epoch` is the one that came with that number; without it a log that was lost meanwhile may go unnoticed.
    """

    after_seq: int | None = Field(None, ge=0, le=2**53, strict=True)
    epoch: Annotated[str, StringConstraints(strict=True, max_length=64)] | None = None


class ThreadRequest(_Request):
    """`thread:unsubscribe`."""

    thread_id: UUID


class TurnPlace(_Request):
    """The last event that was seen of one job of a thread; `turn` came with it."""

    turn: int = Field(ge=1, le=10**9, strict=True)
    seq: int = Field(ge=0, le=2**53, strict=True)
    epoch: Annotated[str, StringConstraints(strict=True, max_length=64)] | None = None


class ThreadSubscribeRequest(ThreadRequest):
    """`thread:subscribe`: what comes after these places, which name the newest job and all that had not ended.

    Left out: all jobs that wait or run now, from their beginning.
    """

    after: Annotated[list[TurnPlace], Field(max_length=100)] | None = None


class TenantRequest(_Request):
    """`tenant:subscribe` and `tenant:unsubscribe`: the caller's own tenant, so there is nothing to say."""

    @model_validator(mode="before")
    @classmethod
    def _may_be_left_out(cls, data: object) -> object:
        return {} if data is None else data


def refusal(code: str, message: str) -> dict[str, Any]:
    """The acknowledgement of a request that was not done."""
    return {"ok": False, "error": {"code": code, "message": message}}
