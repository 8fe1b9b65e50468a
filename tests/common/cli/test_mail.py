"""`letuin mail`: what the mailbox of `letuin up` kept, as a person reads it."""

import json
from email.message import EmailMessage
from pathlib import Path

import pytest
from aiosmtpd.smtp import Envelope

from common.embedded.smtp_sink import MailFolder
from tests.fixtures.letuin import letuin


@pytest.fixture
def mailbox(tmp_path: Path) -> list[str]:
    """Two mails in the data folder of `tmp_path`; their ids."""
    folder = tmp_path / "data" / "mails"
    folder.mkdir(parents=True)
    ids = []
    for subject in ("First", "둘째 \x1b[31mred"):
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = "a@example.com", "b@example.com", subject.replace("\x1b", " ")
        mail.set_content(f"Text of {subject}")
        mail.add_alternative("<p>Page</p>", subtype="html")
        mail.add_attachment(b"x", maintype="text", subtype="csv", filename="t.csv")
        envelope = Envelope()
        envelope.mail_from, envelope.rcpt_tos, envelope.original_content = (
            "a@example.com",
            ["b@example.com"],
            bytes(mail),
        )
        ids.append(MailFolder(folder).keep(envelope).stem)
    return ids


def test_mails_are_listed_and_shown(mailbox: list[str], tmp_path: Path) -> None:
    listed = letuin("mail", "list", folder=tmp_path)
    assert listed.returncode == 0, listed.stderr
    lines = listed.stdout.splitlines()
    assert [mailbox[1] in lines[1], mailbox[0] in lines[2], "First" in lines[2]] == [True] * 3
    shown = letuin("mail", "show", mailbox[0], folder=tmp_path)
    assert "Subject: First" in shown.stdout
    assert "attached: t.csv" in shown.stdout
    assert shown.stdout.rstrip().endswith("Text of First")
    last = letuin("mail", "show", folder=tmp_path)
    assert "둘째" in last.stdout
    assert "\x1b" not in last.stdout
    assert "<p>Page</p>" in letuin("mail", "show", "last", "--html", folder=tmp_path).stdout
    answer = json.loads(letuin("mail", "show", "last", "--json", folder=tmp_path).stdout)
    assert (answer["to"], answer["envelope_to"]) == ("b@example.com", "b@example.com")


def test_an_empty_mailbox_and_a_wrong_id_are_said(tmp_path: Path) -> None:
    assert "No mails yet" in letuin("mail", "list", folder=tmp_path).stderr
    wrong = letuin("mail", "show", "nope", folder=tmp_path)
    assert wrong.returncode == 2
    assert "There is no mail 'nope'" in wrong.stderr
