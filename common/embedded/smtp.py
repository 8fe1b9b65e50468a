"""The mailbox of a machine without a mail server: every mail becomes a file in `data/mails`."""

import sys
from pathlib import Path

from common.embedded.process import ProcessSpec
from common.embedded.server import (
    LOOPBACK,
    EmbeddedServer,
    answers_tcp,
    installed_folder,
    server_environment,
    server_folder,
)


def build_smtp(data_dir: Path, port: int) -> EmbeddedServer:
    """The server on `port`; mails go to `data_dir`/mails. Raises ServerNotInstalledError."""
    installed_folder("aiosmtpd", title="The SMTP sink", variable="SMTP_URL")
    folder = server_folder(data_dir, "mails")
    spec = ProcessSpec(
        name="smtp",
        argv=[sys.executable, "-m", "common.embedded.smtp_sink", "--folder", str(folder), "--port", str(port)],
        env=server_environment(data_dir),
        cwd=folder,
        ready=answers_tcp(port),
        advice="Set SMTP_URL to use a mail server of your own.",
    )
    return EmbeddedServer(spec=spec, url=f"smtp://{LOOPBACK}:{port}")
