"""What the servers have in common: where they live, what they may see, and how "ready" is asked."""

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import httpx2

from common.embedded.errors import ServerNotInstalledError
from common.embedded.process import ProcessSpec

LOOPBACK = "127.0.0.1"
_INHERITED = ("PATH", "TMPDIR", "TZ", "LD_LIBRARY_PATH")


@dataclass(frozen=True, kw_only=True)
class EmbeddedServer:
    """A server that can be started: its process, and the URL under which it is reached."""

    spec: ProcessSpec
    url: str


ServerBuilder = Callable[[Path, int], EmbeddedServer]
"""Makes the server that keeps its files under the data folder (absolute) and listens on the port."""


def server_folder(data_dir: Path, name: str) -> Path:
    """The server's own folder, made when missing, closed to other users."""
    folder = data_dir / name
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def server_environment(home: Path) -> dict[str, str]:
    """The few variables a server needs; secrets of the surrounding environment stay out."""
    kept = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return {**kept, "HOME": str(home), "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1", "NO_COLOR": "1"}


def installed_folder(package: str, *, title: str, variable: str) -> Path:
    """Where a package is installed, without importing it. Raises ServerNotInstalledError."""
    found = find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise ServerNotInstalledError(title, variable)
    return Path(found.submodule_search_locations[0])


def answers_http(url: str) -> Callable[[], Awaitable[bool]]:
    """A readiness check: `url` answers 200."""

    async def is_ready() -> bool:
        # trust_env: a proxy of the environment is not for 127.0.0.1.
        async with httpx2.AsyncClient(trust_env=False, timeout=2) as client:
            try:
                return (await client.get(url)).status_code == httpx2.codes.OK
            except httpx2.TransportError:
                return False

    return is_ready


def answers_tcp(port: int) -> Callable[[], Awaitable[bool]]:
    """A readiness check: somebody accepts connections on the port."""

    async def is_ready() -> bool:
        _, writer = await asyncio.open_connection(LOOPBACK, port)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return True

    return is_ready


def answers_unix(path: Path) -> Callable[[], Awaitable[bool]]:
    """A readiness check: somebody accepts connections at the socket `path`."""

    async def is_ready() -> bool:
        _, writer = await asyncio.open_unix_connection(path)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return True

    return is_ready
