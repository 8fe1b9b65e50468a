"""`letuin mail`: the mails that the mailbox of `letuin up` kept instead of sending them on."""

from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from common.cli.exits import CommandError
from common.cli.options import JsonOption
from common.cli.output import answer_console, error_console, print_json, printable
from common.cli.surroundings import data_dir_of, read_environment

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Look at the mails that `letuin up` kept.")
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
    """List the newest mails, the newest first."""
    mails = [_read(path).head() for path in sorted(_files(), reverse=True)[:limit]]
    if as_json:
        print_json(mails)
        return
    if not mails:
        error_console().print("No mails yet.")
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
    """Show one mail."""
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
