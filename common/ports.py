"""What a job handler may ask for. `worker/` implements these; tests fake them; nothing else is faked."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

Role = Literal["system", "user", "assistant"]
FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]


class ChatMessage(BaseModel):
    """One turn of a conversation."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    role: Role
    content: str = Field(min_length=1)


class Usage(BaseModel):
    """Tokens that a call consumed, as the provider counted them."""

    input_tokens: int = Field(0, ge=0)
    output_tokens: int = Field(0, ge=0)
    total_tokens: int = Field(0, ge=0)


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One call to a chat model; `model=None` means the default one."""

    messages: Sequence[ChatMessage]
    model: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    stream: bool = True


@dataclass(frozen=True, slots=True)
class ChatChunk:
    """A piece of an answer. The last piece carries `finish_reason`; `usage` comes with it or after it."""

    text: str = ""
    model: str | None = None
    finish_reason: FinishReason | None = None
    usage: Usage | None = None


class ChatModel(Protocol):
    """A conversation model."""

    def stream(self, request: ChatRequest) -> AsyncGenerator[ChatChunk, None]:
        """The answer in pieces.

        Raises `TransientError` (worth another attempt, also when the stream ends without a finish reason) or
        `PermanentError` (a request the provider refuses). Closing the generator (`contextlib.aclosing`) stops the call.
        """
        ...


@dataclass(frozen=True, slots=True)
class MailAttachment:
    """A file that travels with a mail: its content, or the result of a job of the mail's owner."""

    filename: str
    content_type: str
    content: bytes | None = None
    job_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class OutgoingMail:
    """One mail of one job. Either worded (`subject` with `text` or `html`), or a `template` with its `variables`.

    `id` and `attempt` are the job's. `may_repeat`: send again when nobody knows whether an attempt has sent it.
    """

    id: UUID
    attempt: int
    tenant_id: UUID
    owner_id: UUID
    to: str
    subject: str | None = None
    text: str | None = None
    html: str | None = None
    template: str | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    locale: str | None = None
    reply_to: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    attachments: Sequence[MailAttachment] = ()
    may_repeat: bool = False


@dataclass(frozen=True, slots=True)
class MailReceipt:
    """The id under which a mail server took a mail, and its words."""

    message_id: str
    response: str


class Mailer(Protocol):
    """A way to send mails."""

    async def send(self, mail: OutgoingMail) -> MailReceipt:
        """Send a mail that this job has not sent yet; answer as before when it has.

        Raises `TransientError` (not sent, worth another attempt) or `PermanentError` (refused for good, or nobody
        knows whether it was sent).
        """
        ...


class WebhookSender(Protocol):
    """A way to call the endpoints of users."""

    async def deliver(self, delivery_id: UUID, attempt: int) -> int:
        """Make one call and keep its record; returns the status code of a receiver that took the message.

        Raises `TransientError` with the time of the next call, or `PermanentError` when none follows.
        """
        ...


class Ports(Protocol):
    """Everything a handler reaches beyond its payload; each is built at first use."""

    @property
    def chat(self) -> ChatModel: ...

    @property
    def mail(self) -> Mailer: ...

    @property
    def webhooks(self) -> WebhookSender: ...
