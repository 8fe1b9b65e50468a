"""What accounts take and give. Bodies with secrets are never shown in errors."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from api.v1.auth.session_issuer import TokenPair
from common.database.model import LoginSession, User
from common.mail.templates import MailLocale
from common.mail.text import Line, MailAddress
from common.passwords import LONGEST_PASSWORD

_Password = Annotated[str, Field(min_length=1, max_length=LONGEST_PASSWORD)]
_NewPassword = Annotated[
    str,
    Field(
        max_length=LONGEST_PASSWORD,
        description="PASSWORD_MIN_LENGTH to PASSWORD_MAX_LENGTH characters of any kind; none that everybody tries.",
        examples=["correct horse battery staple"],
    ),
]
_AnyAddress = Annotated[
    str, Field(min_length=3, max_length=320, pattern=r"^[^\x00-\x20\x7f]+$", examples=["ada@example.com"])
]
_NewAddress = Annotated[MailAddress, AfterValidator(str.lower)]
_Code = Annotated[str, Field(min_length=1, max_length=200, description="From the mail.")]
_Locale = Annotated[MailLocale | None, Field(description="Language of mails. Default: by Accept-Language.")]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class LoginRequest(_Body):
    """A user's e-mail address and password."""

    email: _AnyAddress
    password: _Password


class RefreshRequest(_Body):
    """The refresh token of the last login or refresh; it works once."""

    refresh_token: str = Field(min_length=1, max_length=200)


class RegisterRequest(_Body):
    """An account to be."""

    email: _NewAddress
    password: _NewPassword
    name: Annotated[Line, Field(min_length=1, max_length=200)] | None = None
    locale: _Locale = None


class CodeRequest(_Body):
    """A code from a mail."""

    code: _Code


class MailRequest(_Body):
    """Where to send a mail, if there is reason to."""

    email: _AnyAddress
    locale: _Locale = None


class PasswordChange(_Body):
    """The password as it is, and as it shall be."""

    current_password: _Password
    new_password: _NewPassword


class PasswordReset(_Body):
    """A code from a mail, and the password as it shall be."""

    code: _Code
    new_password: _NewPassword


class EmailChange(_Body):
    """The address as it shall be, and the password."""

    new_email: _NewAddress
    password: _Password
    locale: _Locale = None


class LoginRead(BaseModel):
    """An access token for the Authorization header, and a refresh token for the next pair. Times are seconds."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"
    expires_in: int
    refresh_token: str
    refresh_expires_in: int

    @classmethod
    def of(cls, pair: TokenPair) -> Self:
        """The pair as clients get it."""
        return cls(
            access_token=pair.access_token,
            expires_in=int(pair.expires_in.total_seconds()),
            refresh_token=pair.refresh_token,
            refresh_expires_in=int(pair.refresh_expires_in.total_seconds()),
        )


class MailSent(BaseModel):
    """The same for every address."""

    message: str = "If there is something to tell, a mail is on its way."


class AccountRead(BaseModel):
    """Whose address is proved now."""

    id: UUID
    email: str
    name: str | None

    @classmethod
    def of(cls, user: User) -> Self:
        """The user as they see themselves."""
        return cls(id=user.id, email=user.email, name=user.name)


class SessionRead(BaseModel):
    """One login that has not ended."""

    id: UUID
    is_current: bool
    address: str | None
    user_agent: str | None
    created_at: datetime
    used_at: datetime = Field(description="When its tokens were last renewed.")
    expires_at: datetime

    @classmethod
    def of(cls, session: LoginSession, current_id: UUID) -> Self:
        """The session as its user sees it."""
        plain = {name: getattr(session, name) for name in cls.model_fields if name != "is_current"}
        return cls.model_validate({**plain, "is_current": session.id == current_id})


class SessionList(BaseModel):
    """Every session of the user, newest first."""

    items: list[SessionRead]
