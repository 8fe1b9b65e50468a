"""A mail as bytes: headers, text and HTML parts, attachments; and a last look at what came out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes
from email.headerregistry import Address, HeaderRegistry
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, getaddresses
from typing import Any

from common.errors import PermanentError
from common.mail.text import check_address, check_line

_STRUCTURE = frozenset({"content-type", "content-transfer-encoding", "mime-version"})


class _Headers(HeaderRegistry):
    """Makes the class of each kind of header once, not for every header of every mail."""

    def __init__(self) -> None:
        super().__init__()
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        key = name.lower() if name.lower() in self.registry else ""
        if key not in self._made:
            self._made[key] = super().__getitem__(key)
        return self._made[key]


_POLICY = SMTP.clone(header_factory=_Headers())


@dataclass(frozen=True, slots=True)
class Sender:
    """Who mails come from."""

    name: str
    address: str

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2]


def parse_sender(text: str) -> Sender:
    """From `Name <name@example.com>` or a bare address. Raises `ValueError`."""
    found = getaddresses([check_line(text)])
    if len(found) != 1:
        raise ValueError("must be one address, like Letuin <letuin@example.com>")
    return Sender(found[0][0], check_address(found[0][1]))


@dataclass(frozen=True, slots=True)
class File:
    """An attachment with its content at hand."""

    filename: str
    content_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Draft:
    """A mail whose words are final."""

    message_id: str
    to: str
    subject: str
    text: str | None = None
    html: str | None = None
    reply_to: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    files: Sequence[File] = ()


def compose(draft: Draft, sender: Sender) -> bytes:
    """The mail as it goes over the wire. Raises `PermanentError` when its head is not what was asked for."""
    message = EmailMessage(policy=_POLICY)
    try:
        _write_head(message, draft, sender)
        _write_body(message, draft)
        content = message.as_bytes()
    except (ValueError, LookupError) as error:
        raise PermanentError(f"the mail cannot be written: {error}") from error
    _check_head(content, draft)
    return content


def _write_head(message: EmailMessage, draft: Draft, sender: Sender) -> None:
    username, _, domain = sender.address.rpartition("@")
    message["From"] = Address(check_line(sender.name), username, domain)
    message["To"] = check_address(draft.to)
    message["Subject"] = check_line(draft.subject)
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = draft.message_id
    if draft.reply_to is not None:
        message["Reply-To"] = check_address(draft.reply_to)
    for name, value in draft.headers.items():
        message[name] = check_line(value)


def _write_body(message: EmailMessage, draft: Draft) -> None:
    if draft.text is not None:
        message.set_content(draft.text)
        if draft.html is not None:
            message.add_alternative(draft.html, subtype="html")
    else:
        message.set_content(draft.html or "", subtype="html")
    for file in draft.files:
        maintype, _, subtype = file.content_type.partition("/")
        if maintype in ("message", "multipart"):
            maintype, subtype = "application", "octet-stream"
        message.add_attachment(file.content, maintype=maintype, subtype=subtype, filename=file.filename)


def _check_head(content: bytes, draft: Draft) -> None:
    """Exactly the headers that were meant, each once: whatever the mail library made of their values."""
    expected = {"from", "to", "subject", "date", "message-id", *(name.lower() for name in draft.headers)}
    if draft.reply_to is not None:
        expected.add("reply-to")
    head, _, _ = content.partition(b"\r\n\r\n")
    parsed = message_from_bytes(head + b"\r\n\r\n")
    names = [name.lower() for name in parsed if name.lower() not in _STRUCTURE]
    if sorted(names) != sorted(expected) or parsed["To"] != draft.to:
        raise PermanentError("the mail's head would not be the one that was asked for; it was not sent")
