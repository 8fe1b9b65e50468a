"""`email.send`: one mail to one address, worded by the caller or by a template."""

from base64 import b64decode, b64encode
from datetime import timedelta
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    EncodedBytes,
    EncoderProtocol,
    Field,
    JsonValue,
    StringConstraints,
    field_validator,
    model_validator,
)

from common.mail.templates import MailLocale, MailTemplate, check_variables
from common.mail.text import MailAddress, check_line
from common.ports import MailAttachment, OutgoingMail
from common.queue.context import JobContext
from common.queue.definition import QueueName, Retry, job

_MAX_TEXT = 100_000
_MAX_HTML = 200_000
_MAX_HEADERS = 20
_MAX_ATTACHMENTS = 10
_ALLOWED_HEADERS = frozenset(
    {"in-reply-to", "references", "list-unsubscribe", "list-unsubscribe-post", "auto-submitted", "importance"}
)

_NOT_IN_NAMES = frozenset('/\\:"<>|?*')


def _is_file_name(text: str) -> str:
    if _NOT_IN_NAMES & set(text):
        raise ValueError(f"must be a file name without a folder, and without {' '.join(sorted(_NOT_IN_NAMES))}")
    return text


class _Base64(EncoderProtocol):
    """Refuses what is not Base64, instead of passing over it; line ends may stand in it."""

    @classmethod
    def decode(cls, data: bytes) -> bytes:
        try:
            return b64decode(b"".join(data.split()), validate=True)
        except ValueError:
            raise ValueError("must be Base64 (standard alphabet, with padding)") from None

    @classmethod
    def encode(cls, value: bytes) -> bytes:
        return b64encode(value)

    @classmethod
    def get_json_format(cls) -> Literal["base64"]:
        return "base64"


# The length first: what it says is about the text, not about what a check makes of it.
_HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,75}$")]
_HeaderValue = Annotated[str, StringConstraints(min_length=1, max_length=900), AfterValidator(check_line)]
_Subject = Annotated[str, StringConstraints(min_length=1, max_length=250), AfterValidator(check_line)]
_FileName = Annotated[
    str, StringConstraints(min_length=1, max_length=150), AfterValidator(check_line), AfterValidator(_is_file_name)
]

_FileContent = Annotated[bytes, EncodedBytes(encoder=_Base64)]


class EmailAttachment(BaseModel):
    """A file that travels with the mail: its content, or the result of a job of yours."""

    model_config = ConfigDict(extra="forbid")

    filename: _FileName = Field(examples=["report.pdf"])
    content_type: str = Field(
        "application/octet-stream", pattern=r"^[a-z0-9][a-z0-9.+-]{0,60}/[a-z0-9][a-z0-9.+-]{0,60}$"
    )
    content: _FileContent | None = Field(None, description="The file itself, in Base64.")
    job_id: UUID | None = Field(None, description="Instead of `content`: the result of this job, as JSON.")
    document_id: UUID | None = Field(None, description="Or the file of a document that you may read, as it is then.")

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        if [self.content, self.job_id, self.document_id].count(None) != 2:
            raise ValueError("give one of content, job_id and document_id")
        return self


class EmailSendPayload(BaseModel):
    """The mail: either `subject` with `text`, `html` or both, or a `template` with its `variables`."""

    model_config = ConfigDict(extra="forbid")

    to: MailAddress = Field(description="One address.")
    subject: _Subject | None = None
    text: str | None = Field(None, min_length=1, max_length=_MAX_TEXT)
    html: str | None = Field(None, min_length=1, max_length=_MAX_HTML)
    template: MailTemplate | None = None
    variables: dict[str, JsonValue] | None = Field(None, description="What the template asks for.")
    sealed: str | None = Field(
        None, max_length=10_000, description="More variables, sealed by Letuin itself: one-time codes never lie open."
    )
    locale: MailLocale | None = Field(None, description="Language of the template. Default: MAIL_LOCALE.")
    reply_to: MailAddress | None = None
    headers: dict[_HeaderName, _HeaderValue] = Field(
        default_factory=dict, max_length=_MAX_HEADERS, description="X- headers and a few others."
    )
    attachments: list[EmailAttachment] = Field(default_factory=list, max_length=_MAX_ATTACHMENTS)
    delivery: Literal["at_most_once", "at_least_once"] = Field(
        "at_most_once",
        description="After a crash between sending and knowing: leave it to you, or send again with the same id.",
    )

    @field_validator("headers")
    @classmethod
    def _are_harmless(cls, headers: dict[str, str]) -> dict[str, str]:
        for name in headers:
            if not name.lower().startswith("x-") and name.lower() not in _ALLOWED_HEADERS:
                raise ValueError(f"{name} cannot be set; X- headers and {', '.join(sorted(_ALLOWED_HEADERS))} can")
        if len({name.lower() for name in headers}) < len(headers):
            raise ValueError("every header can be set once")
        return headers

    @model_validator(mode="after")
    def _is_worded_once(self) -> Self:
        own = (self.subject, self.text, self.html)
        if self.template is not None:
            if any(part is not None for part in own):
                raise ValueError("a template brings subject, text and html itself; leave them out")
            if self.sealed is None:
                check_variables(self.template, self.variables or {})
        elif self.subject is None or (self.text is None and self.html is None):
            raise ValueError("give a subject and a text or html, or a template")
        elif self.variables is not None or self.locale is not None or self.sealed is not None:
            raise ValueError("variables, sealed and locale belong to a template")
        return self


class EmailSendResult(BaseModel):
    """What the mail server said when it took the mail."""

    message_id: str
    response: str


@job(
    "email.send",
    queue=QueueName.EMAIL,
    timeout=timedelta(minutes=5),
    retry=Retry(max_attempts=10, base=timedelta(seconds=10), cap=timedelta(minutes=30)),
)
async def email_send(ctx: JobContext, payload: EmailSendPayload) -> EmailSendResult:
    """Send a mail, once; when nobody knows whether it went out, say so instead of sending it again."""
    mail = OutgoingMail(
        id=ctx.job_id,
        attempt=ctx.attempt,
        tenant_id=ctx.tenant_id,
        owner_id=ctx.owner_id,
        to=payload.to,
        subject=payload.subject,
        text=payload.text,
        html=payload.html,
        template=payload.template,
        variables=payload.variables or {},
        sealed=payload.sealed,
        locale=payload.locale,
        reply_to=payload.reply_to,
        headers=payload.headers,
        attachments=[
            MailAttachment(each.filename, each.content_type, each.content, each.job_id, each.document_id)
            for each in payload.attachments
        ],
        may_repeat=payload.delivery == "at_least_once",
    )
    receipt = await ctx.ports.mail.send(mail)
    return EmailSendResult(message_id=receipt.message_id, response=receipt.response)
