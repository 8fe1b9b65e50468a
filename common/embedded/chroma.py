"""Chroma's own server: the vectors. One process owns the folder, everybody else is a client of it."""

import sys
from pathlib import Path

from common.embedded.process import ProcessSpec
from common.embedded.server import (
    LOOPBACK,
    EmbeddedServer,
    answers_http,
    installed_folder,
    server_environment,
    server_folder,
)


def build_chroma(data_dir: Path, port: int) -> EmbeddedServer:
    """The server on `port`, with its files in `data_dir`/chroma. Raises ServerNotInstalledError."""
    installed_folder("chromadb", title="Chroma", variable="CHROMA_URL")
    folder = server_folder(data_dir, "chroma")
    url = f"http://{LOOPBACK}:{port}"
    start = "import sys; from chromadb.cli.cli import app; sys.argv[0] = 'chroma'; app()"
    spec = ProcessSpec(
        name="chroma",
        argv=[sys.executable, "-c", start, "run", "--path", str(folder), "--host", LOOPBACK, "--port", str(port)],
        env={**server_environment(folder), "ANONYMIZED_TELEMETRY": "False"},
        cwd=folder,
        ready=answers_http(f"{url}/api/v2/heartbeat"),
        lock=folder / "lock",
        advice="Set CHROMA_URL to use a Chroma server of your own.",
    )
    return EmbeddedServer(spec=spec, url=url)
