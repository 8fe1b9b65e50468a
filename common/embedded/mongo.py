"""A MongoDB-wire server for the request log. Its licence is GPL: only ever a process of its own, never imported."""

import sys
from datetime import timedelta
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


def build_mongo(data_dir: Path, port: int) -> EmbeddedServer:
    """The server on `port`, with its files in `data_dir`/mongo. Raises ServerNotInstalledError."""
    installed_folder("secantus", title="The MongoDB-wire server", variable="MONGODB_URL")
    folder = server_folder(data_dir, "mongo")
    config = folder / "secantusd.toml"
    # An empty file of ours keeps it from looking for somebody else's in the home folder or /etc.
    config.touch()
    argv = [sys.executable, "-m", "secantus", "--config", str(config), "--host", LOOPBACK, "--port", str(port)]
    argv += ["--storage-path", str(folder / "files"), "--cache-size", "256M"]
    argv += ["--log-level", "WARNING", "--sync-on-commit"]
    spec = ProcessSpec(
        name="mongo",
        argv=argv,
        env=server_environment(folder),
        cwd=folder,
        ready=answers_tcp(port),
        stop_timeout=timedelta(seconds=15),
        lock=folder / "lock",
        advice="Set MONGODB_URL to use a MongoDB of your own.",
    )
    return EmbeddedServer(spec=spec, url=f"mongodb://{LOOPBACK}:{port}/letuin")
