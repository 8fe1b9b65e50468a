"""A mail as bytes: headers, text and HTML parts, attachments; and a last look at what came out."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.header import Header
from email.headerregistry import Address, HeaderRegistry
from email.message import EmailMessage
from email.policy import SMTP, Policy
from email.utils import format_datetime, getaddresses
from typing import Any

from common.errors import PermanentError
from common.mail.text import check_address, check_line

_STRUCTURE = frozenset({"content-type", "content-transfer-encoding", "mime-version"})
_LONGEST_LINE = 78
_FOLD = re.compile(r"\r\n(?=[ \t])")


class _Written(str):
    """The value of a header, and the line or lines that it is written as."""

    name: str
    lines: str

    def fold(self, *, policy: Policy) -> str:
        return f"{self.name}: {self.lines}{policy.linesep}"


class _Headers(HeaderRegistry):
    """Writes most headers itself, and makes the class of each other kind once, not for every header of every mail."""

    def __init__(self) -> None:
        super().__init__()
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        key = name.lower() if name.lower() in self.registry else ""
        if key not in self._made:
            self._made[key] = super().__getitem__(key)
        return self._made[key]

    def __call__(self, name: str, value: Any) -> Any:
        text = str(value)
        if _is_plain(name, text):
            lines = text
        elif not text.isascii() and (name.lower() == "subject" or name.lower() not in self.registry):
            # Some Pythons lose the spaces where they fold such a text.
            lines = Header(text, "utf-8", header_name=name, maxlinelen=_LONGEST_LINE).encode(linesep="\r\n")
        else:
            return super().__call__(name, value)
        header = _Written(text)
        header.name, header.lines = name, lines
        return header


def _is_plain(name: str, text: str) -> bool:
    """Whether it is one short line of printable ASCII, which needs neither parsing nor folding."""
    fits = 0 < len(text) <= _LONGEST_LINE - len(name) - 2
    is_safe = text.isascii() and text.isprintable() and "=?" not in text and text == text.strip()
    return fits and is_safe and name.lower() != "content-disposition"


# 7bit: not every server takes 8-bit texts, and one that has to encode them again breaks signatures.
_POLICY = SMTP.clone(header_factory=_Headers(), cte_type="7bit")


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
    lines = _FOLD.sub("", head.decode("ascii", "replace")).split("\r\n")
    fields = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    names = [name for name, _ in fields if name not in _STRUCTURE]
    is_broken = any("\r" in line or "\n" in line for line in lines)
    if is_broken or sorted(names) != sorted(expected) or ("to", draft.to) not in fields:
        raise PermanentError("the mail's head would not be the one that was asked for; it was not sent")
