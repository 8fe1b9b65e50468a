"""`email.send`: what it refuses before any mail library sees it."""

from typing import Any

import pytest
from pydantic import ValidationError

from common.jobs.email_send import EmailSendPayload
from common.mail.templates import MailTemplate

MAIL = {"to": "ada@example.com", "subject": "Hello", "text": "Hi"}
PROOF = {"name": "Ada", "code": "1234", "expires_minutes": 10}


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({"to": "ada@example.com, eve@example.com"}, "to", "exactly one address"),
        ({"to": "ada@example.com;eve@example.com"}, "to", "exactly one address"),
        ({"to": "Ada <ada@example.com>"}, "to", "exactly one address"),
        ({"to": "ada@example.com\r\nBcc: eve@example.com"}, "to", "control characters"),
        ({"to": "ada@example.com\u2028eve@example.com"}, "to", "control characters"),
        ({"to": "ada@b@c"}, "to", "exactly one address"),
        ({"to": "아다@example.com"}, "to", "ASCII"),
        ({"to": "a" * 65 + "@example.com"}, "to", "ada@example.com"),
        ({"to": "x" * 100_000}, "to", "at most 254"),
        ({"subject": "a\nBcc: eve@example.com"}, "subject", "control characters"),
        ({"subject": "a\x00b"}, "subject", "control characters"),
        ({"subject": "=?utf-8?q?a=0ABcc:_eve@example.com?="}, "subject", "encoded word"),
        ({"subject": "=?UTF-8?B?YQpCY2M6IGV2ZUBleGFtcGxlLmNvbQ==?="}, "subject", "encoded word"),
        ({"subject": "a\x85b"}, "subject", "control characters"),
        ({"reply_to": "eve@example.com\nX: y"}, "reply_to", "control characters"),
        ({"headers": {"Bcc": "eve@example.com"}}, "headers", "Bcc cannot be set"),
        ({"headers": {"From": "eve@example.com"}}, "headers", "From cannot be set"),
        ({"headers": {"X-A\r\nBcc": "eve"}}, "headers", "pattern"),
        ({"headers": {"X-A": "1\r\nBcc: eve@example.com"}}, "headers", "control characters"),
        ({"headers": {"X-A": "1", "x-a": "2"}}, "headers", "set once"),
        ({"headers": {f"X-{n}": "1" for n in range(21)}}, "headers", "at most 20"),
        ({"subject": "x" * 251}, "subject", "at most 250 characters"),
        ({"attachments": [{"filename": "../x", "content": "YQ=="}]}, "filename", "without a folder"),
        ({"attachments": [{"filename": "x", "content": "%%%"}]}, "content", "must be Base64"),
        ({"attachments": [{"filename": "x\r\ny", "content": "YQ=="}]}, "filename", "control characters"),
        ({"attachments": [{"filename": "x"}]}, "attachments", "content, job_id"),
        ({"text": None}, "payload", "text or html"),
        ({"subject": None}, "payload", "subject"),
        ({"template": "verify_email"}, "payload", "leave them out"),
        ({"locale": "ko"}, "payload", "belong to a template"),
    ],
)
def test_unsafe_or_half_mails_are_refused(changes: dict[str, Any], field: str, said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        EmailSendPayload.model_validate({**MAIL, **changes})
    [error] = caught.value.errors()
    assert field in ("payload", *error["loc"])
    assert said in error["msg"]


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, "variables.name"),
        ({"name": "A", "expires_minutes": 1}, "give a link or a code"),
        ({**PROOF, "link": "javascript:alert(1)"}, "variables.link"),
        ({**PROOF, "name": "a\nb"}, "variables.name"),
        ({**PROOF, "more": 1}, "variables.more"),
    ],
)
def test_a_template_needs_its_variables(variables: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        EmailSendPayload(to="ada@example.com", template=MailTemplate.VERIFY_EMAIL, variables=variables)


def test_the_content_of_a_file_outlives_its_row() -> None:
    wrapped = {"filename": "x", "content": "aGVs\nbG8="}
    mail = EmailSendPayload.model_validate({**MAIL, "attachments": [wrapped]})
    assert EmailSendPayload.model_validate_json(mail.model_dump_json()).attachments[0].content == b"hello"
