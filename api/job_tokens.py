"""Tokens for one job: short-lived, for a browser that shall follow or cancel that job and nothing else."""

from collections.abc import Collection
from datetime import timedelta
from typing import Annotated

import jwt
from pydantic import Field, Strict

from api.caller import Caller
from api.security import Claims, LooseUUID, TokenSigner
from common.database.model import Job
from common.scopes import JobAction

_TYPE = "job+jwt"


class JobClaims(Claims):
    """What a job token says: who made it (`sub`), with what, about which job, and what it allows."""

    ver: int = Field(ge=0)
    ten: LooseUUID
    own: LooseUUID
    job: LooseUUID
    act: list[Annotated[JobAction, Strict(False)]] = Field(min_length=1)
    sid: LooseUUID | None = None
    key: LooseUUID | None = None


class JobTokens:
    """Makes and checks job tokens."""

    def __init__(self, signer: TokenSigner) -> None:
        self._signer = signer

    def issue(self, caller: Caller, version: int, job: Job, actions: Collection[JobAction], lifetime: timedelta) -> str:
        """A token for the job, made by `caller`, whose `token_version` is `version`."""
        made_with = {"sid": caller.session_id, "key": caller.key_id}
        return self._signer.sign(
            _TYPE,
            caller.user_id,
            lifetime,
            ver=version,
            ten=str(job.tenant_id),
            own=str(job.owner_id),
            job=str(job.id),
            act=sorted(actions),
            **{name: str(value) for name, value in made_with.items() if value is not None},
        )

    def claims_to_be_one(self, token: str) -> bool:
        """Whether the token's header, which proves nothing yet, names the type of job tokens."""
        try:
            return bool(jwt.get_unverified_header(token).get("typ") == _TYPE)
        except jwt.PyJWTError:
            return False

    def read(self, token: str) -> JobClaims:
        """The claims of a token that is ours and valid now. Raises `UnauthorizedError`."""
        return self._signer.read(_TYPE, token, JobClaims)
