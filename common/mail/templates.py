"""The mails that Letuin words itself: their names and the variables that each needs."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    ValidationError,
    model_validator,
)

from common.mail.text import check_line

_Short = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(check_line)]
_Words = Annotated[str, StringConstraints(min_length=1, max_length=1000), AfterValidator(check_line)]
_Link = Annotated[
    str, StringConstraints(max_length=2000, pattern=r"^https?://[^\s<>\"']+$"), AfterValidator(check_line)
]


class MailTemplate(StrEnum):
    """The name of a mail that Letuin words."""

    VERIFY_EMAIL = "verify_email"
    RESET_PASSWORD = "reset_password"
    CHANGE_EMAIL = "change_email"
    JOB_FINISHED = "job_finished"
    SCHEDULE_DISABLED = "schedule_disabled"


class MailLocale(StrEnum):
    """The languages of the templates."""

    EN = "en"
    KO = "ko"


class _Variables(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: _Short


class ProofVariables(_Variables):
    """For mails that let somebody prove that they read them: by a link, or by a code to type in."""

    link: _Link | None = None
    code: _Short | None = None
    expires_minutes: int = Field(ge=1, le=60 * 24 * 366)

    @model_validator(mode="after")
    def _can_be_proved(self) -> Self:
        if self.link is None and self.code is None:
            raise ValueError("give a link or a code")
        return self


class JobFinishedVariables(_Variables):
    """A job that has ended."""

    job_id: UUID
    kind: _Short
    status: _Short
    error: _Words | None = None
    link: _Link | None = None


class ScheduleDisabledVariables(_Variables):
    """A schedule that does not fire any more."""

    schedule: _Short
    reason: _Words
    link: _Link | None = None


VARIABLES: dict[MailTemplate, type[_Variables]] = {
    MailTemplate.VERIFY_EMAIL: ProofVariables,
    MailTemplate.RESET_PASSWORD: ProofVariables,
    MailTemplate.CHANGE_EMAIL: ProofVariables,
    MailTemplate.JOB_FINISHED: JobFinishedVariables,
    MailTemplate.SCHEDULE_DISABLED: ScheduleDisabledVariables,
}


def check_variables(template: MailTemplate, variables: Mapping[str, JsonValue]) -> None:
    """Raise `ValueError` that names the first variable which the template cannot take."""
    try:
        VARIABLES[template].model_validate(variables)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(["variables", *(str(part) for part in first["loc"])])
        raise ValueError(f"{where}: {first['msg'].removeprefix('Value error, ')}") from None
