"""Process of the SMTP sink: keeps every mail as one .eml file. `python -m common.embedded.smtp_sink`."""

import argparse
import asyncio
import os
import secrets
import signal
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session


class MailFolder:
    """Writes mails into a folder; the names sort by time of arrival."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802  aiosmtpd's
        """Called by the server for each mail; answers 250 when the file is on the disk."""
        try:
            await asyncio.to_thread(self.keep, envelope)
        except OSError as error:
            return f"452 The mail could not be stored: {error.strerror}"
        return "250 OK, kept as a file"

    def keep(self, envelope: Envelope) -> Path:
        """Write one mail, its envelope addresses in front as headers (Bcc is only there). Returns the file."""
        path = self._folder / f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}-{secrets.token_hex(3)}.eml"
        recipients = ", ".join(envelope.rcpt_tos)
        head = f"X-Envelope-From: {envelope.mail_from}\r\nX-Envelope-To: {recipients}\r\n".encode()
        # Made outside the folder: a reader of the folder never sees half a mail.
        handle, draft = tempfile.mkstemp(dir=self._folder.parent, prefix=".mail.")
        with open(handle, "wb") as file:
            file.write(head + (envelope.original_content or b""))
            file.flush()
            os.fsync(file.fileno())
        os.rename(draft, path)
        return path


async def serve(*, folder: Path, port: int) -> None:
    """Accept mails on 127.0.0.1:`port` until SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    mails = MailFolder(folder)
    # A host name of our own: by default it asks the DNS for one.
    server = await loop.create_server(
        lambda: SMTP(mails, hostname="localhost", enable_SMTPUTF8=True), "127.0.0.1", port
    )
    async with server:
        await stop.wait()


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    asyncio.run(serve(**vars(parser.parse_args(arguments))))


if __name__ == "__main__":
    main()
