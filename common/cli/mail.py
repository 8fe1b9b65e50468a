"""`letuin mail`: what the mailbox of `letuin up` kept instead of sending it on, and what became of every mail."""

from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.markup import escape
from rich.table import Table

from common.cli.asking import ask
from common.cli.cells import age, cell, column_table
from common.cli.exits import CommandError
from common.cli.options import JsonOption, UrlOption
from common.cli.output import answer_console, error_console, print_json, printable
from common.cli.surroundings import data_dir_of, read_environment

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Look at mails, and send them again.")
_COLOURS = {"sent": "green", "failed": "red", "unknown": "magenta"}
_ENVELOPE = ("X-Envelope-From", "X-Envelope-To")


@dataclass(frozen=True, slots=True)
class KeptMail:
    """One file of the mailbox. `id` is its name without the ending."""

    id: str
    message: EmailMessage

    def head(self) -> dict[str, Any]:
        """What a list shows."""
        names = {"from": "From", "to": "To", "subject": "Subject", "date": "Date", "envelope_to": "X-Envelope-To"}
        return {"id": self.id, **{key: str(self.message.get(name, "")) for key, name in names.items()}}

    def body(self) -> dict[str, Any]:
        """The whole mail."""
        headers = [[name, str(value)] for name, value in self.message.items() if name not in _ENVELOPE]
        files = [
            {"filename": part.get_filename(), "content_type": part.get_content_type()}
            for part in self.message.iter_attachments()
        ]
        texts = {"text": self._part("plain"), "html": self._part("html")}
        return {**self.head(), "headers": headers, **texts, "attachments": files}

    def _part(self, kind: str) -> str | None:
        part = self.message.get_body((kind,))
        return None if part is None else str(part.get_content())


@app.command("list")
def list_mails(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 20, as_json: JsonOption = False
) -> None:
    """List what the mailbox of `letuin up` kept, the newest first."""
    mails = [_read(path).head() for path in sorted(_files(), reverse=True)[:limit]]
    if as_json:
        print_json(mails)
        return
    if not mails:
        error_console().print("No mails yet. With SMTP_URL set none are kept; `letuin mail outcomes` lists them.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("id", "to", "subject"):
        table.add_column(name, no_wrap=name == "id", overflow="fold")
    for mail in mails:
        table.add_row(*(escape(printable(mail[name])) for name in ("id", "to", "subject")))
    answer_console().print(table)


@app.command()
def show(
    mail_id: Annotated[str, typer.Argument(metavar="ID", help="The mail's id, or `last`.")] = "last",
    html: Annotated[bool, typer.Option("--html", help="Print the HTML part.")] = False,
    raw: Annotated[bool, typer.Option("--raw", help="Print the file as it came.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show one mail that the mailbox kept."""
    path = _find(mail_id)
    if raw:
        typer.echo(path.read_bytes(), nl=False)
        return
    mail = _read(path).body()
    if as_json:
        print_json(mail)
        return
    console = answer_console()
    for name, value in mail["headers"]:
        console.print(f"[bold]{escape(name)}:[/] {escape(printable(value))}", soft_wrap=True)
    for file in mail["attachments"]:
        console.print(f"[bold]attached:[/] {escape(printable(str(file['filename'])))}", soft_wrap=True)
    words = mail["html"] if html else mail["text"] or mail["html"]
    console.print("\n" + printable((words or "").replace("\r\n", "\n")), markup=False, soft_wrap=True)


@app.command()
def outcomes(
    status: Annotated[
        Literal["sending", "sent", "deferred", "failed", "unknown"] | None, typer.Option(help="Only those that are so.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many at most.")] = 20,
    as_json: JsonOption = False,
    url: UrlOption = None,
) -> None:
    """List what became of your mails, the newest first, with the mail server's words."""
    asked = {"limit": limit, **({"status": status} if status else {})}
    found = ask(url, lambda client: client.get("/mails", params=asked))
    if as_json:
        print_json(found)
        return
    if not found["items"]:
        error_console().print("No mails yet." if status is None else f"No mail is {status}.")
        return
    table = column_table("id", "status", "age", "to", "subject", "the server said")
    for mail in found["items"]:
        words = (cell(mail[name] or "") for name in ("recipient", "subject", "response"))
        table.add_row(mail["id"], _status(mail["status"]), age(mail["updated_at"]), *words)
    answer_console().print(table)


@app.command()
def resend(
    mail_id: Annotated[str, typer.Argument(metavar="ID", help="The mail's id, which is its job's.")],
    as_json: JsonOption = False,
    url: UrlOption = None,
) -> None:
    """Send a mail again that failed, or of which nobody knows whether it was sent; its Message-ID stays."""
    mail = ask(url, lambda client: client.post("/mails", mail_id, "resend"))
    if as_json:
        print_json(mail)
    else:
        error_console().print(f"Mail {mail['id']} to {cell(mail['recipient'])} is sent again.")


def _status(status: str) -> str:
    return f"[{_COLOURS.get(status, 'yellow')}]{status}[/]"


def _folder() -> Path:
    return data_dir_of(read_environment()) / "mails"


def _files() -> Iterator[Path]:
    return _folder().glob("*.eml")


def _find(mail_id: str) -> Path:
    files = sorted(_files())
    if mail_id == "last" and files:
        return files[-1]
    for path in files:
        if path.stem == mail_id:
            return path
    raise CommandError(f"There is no mail {mail_id!r} in {_folder()}; `letuin mail list` shows what there is.")


def _read(path: Path) -> KeptMail:
    message = message_from_bytes(path.read_bytes(), policy=default)
    assert isinstance(message, EmailMessage)
    return KeptMail(path.stem, message)
