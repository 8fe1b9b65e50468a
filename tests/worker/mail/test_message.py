"""A mail as bytes: what is written is what was meant, in ASCII, on lines that every server takes."""

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

import pytest

from worker.mail.message import Draft, File, compose, parse_sender

ID = "<0195d3a0-0000-7000-8000-000000000000@letuin.test>"
BINARY = bytes(range(256))
LONG_ADDRESS = f"{'a' * 60}@{'b' * 60}.{'c' * 60}.test"


@pytest.mark.parametrize("to", ["ada@example.com", LONG_ADDRESS], ids=["short", "long"])
@pytest.mark.parametrize(
    "subject",
    ["Hello", "한글 제목 " * 20, "x" * 200, "word " * 45, 'a: b, "c"', "é"],
    ids=["plain", "korean", "one-word", "many-words", "marks", "accent"],
)
@pytest.mark.parametrize(
    ("text", "html"),
    [("Hi\n.\nFrom me\n", None), ("한글\n" * 40, "<p>한글</p>"), (None, "<p>é" + "x" * 3000 + "</p>")],
    ids=["plain", "korean", "long-line"],
)
def test_what_is_read_is_what_was_written(to: str, subject: str, text: str | None, html: str | None) -> None:
    draft = Draft(
        message_id=ID,
        to=to,
        subject=subject,
        text=text,
        html=html,
        reply_to="grace@example.com",
        headers={"X-Long": "v" * 300, "X-Korean": "머리말 하나"},
        files=[
            File("보고서.txt", "text/plain", b"hello"),
            File("a.bin", "application/octet-stream", bytes(range(256))),
        ],
    )
    content = compose(draft, parse_sender("Letuin <letuin@letuin.test>"))
    assert content.isascii()
    assert max(len(line) for line in content.split(b"\r\n")) < 999
    assert b"\n" not in content.replace(b"\r\n", b"")
    mail = message_from_bytes(content, policy=default)
    assert isinstance(mail, EmailMessage)
    assert (mail["From"], mail["To"], mail["Message-ID"]) == ("Letuin <letuin@letuin.test>", to, ID)
    assert (mail["Subject"].strip(), mail["X-Long"], mail["X-Korean"]) == (subject.strip(), "v" * 300, "머리말 하나")
    for kind, words in (("plain", text), ("html", html)):
        part = mail.get_body((kind,))
        assert (None if part is None else part.get_content().replace("\r\n", "\n").strip()) == (words and words.strip())
    files = [(part.get_filename(), part.get_content()) for part in mail.iter_attachments()]
    assert files == [("보고서.txt", "hello"), ("a.bin", BINARY)]
