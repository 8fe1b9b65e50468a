"""C10: some Pythons write a line end that hides in a header's encoded word. Whatever they do, no mail shows it."""

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP

import pytest
from pydantic import ValidationError

from common.errors import PermanentError
from common.jobs.email_send import EmailSendPayload
from worker.mail.message import Draft, compose, parse_sender

HIDDEN = "=?utf-8?q?Hello=0D=0ABcc=3A_eve=40example=2Ecom?="
SENDER = parse_sender("Letuin <letuin@example.com>")


def bare(subject: str) -> bytes:
    """What this interpreter makes of it, without us."""
    message = EmailMessage(policy=SMTP)
    message["Subject"] = subject
    message.set_content("x")
    return message.as_bytes()


def test_c10_the_input_is_refused_before_any_mail_library_sees_it() -> None:
    with pytest.raises(ValidationError, match="encoded word"):
        EmailSendPayload(to="ada@example.com", subject=HIDDEN, text="x")
    with pytest.raises(PermanentError):
        compose(Draft(message_id="<1@x>", to="ada@example.com", subject=HIDDEN, text="x"), SENDER)


def test_c10_a_head_that_got_longer_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last look alone, as on an interpreter that writes the hidden line."""
    monkeypatch.setattr("worker.mail.message.check_line", lambda text: text)
    is_written = message_from_bytes(bare(HIDDEN))["Bcc"] is not None
    draft = Draft(message_id="<1@x>", to="ada@example.com", subject=HIDDEN, text="x")
    if is_written:
        with pytest.raises(PermanentError, match="head"):
            compose(draft, SENDER)
    else:
        assert message_from_bytes(compose(draft, SENDER))["Bcc"] is None
