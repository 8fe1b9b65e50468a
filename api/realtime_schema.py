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


class TenantRequest(_Request):
    """`tenant:subscribe` and `tenant:unsubscribe`: the caller's own tenant, so there is nothing to say."""

    @model_validator(mode="before")
    @classmethod
    def _may_be_left_out(cls, data: object) -> object:
        return {} if data is None else data


def refusal(code: str, message: str) -> dict[str, Any]:
    """The acknowledgement of a request that was not done."""
    return {"ok": False, "error": {"code": code, "message": message}}
