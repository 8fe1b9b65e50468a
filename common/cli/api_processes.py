"""Api processes behind one port: the kernel spreads connections over them, and whoever dies comes back."""

import math
import socket
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

from common.cli.exits import CommandError, UnreachableError
from common.cli.surroundings import python_module
from common.embedded.process import ProcessSpec
from common.embedded.server import answers_unix

_STOP_TIMEOUT, _STOP_MARGIN = 10.0, 5.0
MOST = 64
"""How many may share a port."""


class ApiProcesses:
    """Holds the port as long as the block lasts, so that nobody takes it while a process starts again.

    Raises `UnreachableError` when the port cannot be had.
    """

    def __init__(self, host: str, port: int, count: int, data_dir: Path) -> None:
        self._host = host
        self._wanted = port
        self._count = count
        self._data_dir = data_dir
        self._stack = ExitStack()
        self._folder = Path()
        self.port = 0

    def __enter__(self) -> Self:
        self.port = claim_port(self._host, self._wanted)
        if self._count > 1:
            self._stack.enter_context(_reserve(self._host, self.port))
            self._folder = Path(self._stack.enter_context(_make_folder(self._data_dir)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def names(self) -> list[str]:
        """What the processes are called."""
        return ["api"] if self._count == 1 else [f"api-{number}" for number in range(1, self._count + 1)]

    def specs(self, environ: Mapping[str, str]) -> list[ProcessSpec]:
        """How a supervisor runs them; each is ready when it tells its figures. `environ` is their whole environment."""
        shared = {"API_HOST": self._host, "API_PORT": str(self.port), "API_PROCESSES": str(self._count)}
        return [
            ProcessSpec(
                name=name,
                argv=python_module("api.main", "--number", str(number), "--folder", str(self._folder)),
                env={**environ, **shared},
                ready=answers_unix(self._folder / f"{number}.sock"),
                stop_timeout=_stop_timeout(environ),
            )
            for number, name in enumerate(self.names, start=1)
        ]


def count_of(environ: Mapping[str, str], given: int | None = None) -> int:
    """How many processes are wanted: `given`, or API_PROCESSES, or one. Raises `CommandError`."""
    if given is not None:
        return given
    text = environ.get("API_PROCESSES") or "1"
    if not text.isdecimal() or not 1 <= int(text) <= MOST:
        raise CommandError(f"API_PROCESSES must be a number from 1 to {MOST}.")
    return int(text)


def port_of(environ: Mapping[str, str], given: int | None = None) -> int:
    """The port that is wanted: `given`, or API_PORT, or 8000. Raises `CommandError`."""
    if given is not None:
        return given
    text = environ.get("API_PORT") or "8000"
    if not text.isdecimal() or int(text) > 65_535:
        raise CommandError("API_PORT must be a number up to 65535.")
    return int(text)


def claim_port(host: str, port: int) -> int:
    """The port if nobody has it, or a free one for 0. Raises `UnreachableError`."""
    try:
        with socket.socket(_family(host)) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            probe.listen()
            return int(probe.getsockname()[1])
    except OSError as error:
        raise UnreachableError(
            f"The api cannot listen on {host}:{port} ({error.strerror}): choose another port with --port, "
            "or --port 0 for any free one."
        ) from error


def _reserve(host: str, port: int) -> socket.socket:
    """Bound beside the processes and never listening, so that no connection comes here."""
    holder = socket.socket(_family(host))
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        holder.bind((host, port))
    except OSError as error:
        holder.close()
        raise UnreachableError(f"The api cannot listen on {host}:{port} ({error.strerror}).") from error
    return holder


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _make_folder(data_dir: Path) -> "TemporaryDirectory[str]":
    """Where the processes find each other; in the data folder where nothing else may be written."""
    try:
        return TemporaryDirectory(prefix="letuin-api-")
    except OSError:
        return TemporaryDirectory(prefix="api-", dir=data_dir)


def _stop_timeout(environ: Mapping[str, str]) -> timedelta:
    """Longer than a process takes to end by itself (API_STOP_TIMEOUT, which it checks)."""
    try:
        own = float(environ.get("API_STOP_TIMEOUT") or _STOP_TIMEOUT)
    except ValueError:
        own = _STOP_TIMEOUT
    own = own if math.isfinite(own) else _STOP_TIMEOUT
    return timedelta(seconds=min(max(own, 0.0), 86_400.0) + _STOP_MARGIN)
