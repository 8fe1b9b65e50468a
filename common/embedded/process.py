"""One child process: what it is, how it is started, and what it prints."""

import asyncio
import os
import signal
import sys
import threading
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from common.embedded.errors import EmbeddedServerError

Sink = Callable[[str, str], None]
"""Receives every line of every process: `(process name, line)`."""

_LAUNCHER = Path(__file__).with_name("launch.py")
_LONGEST_LINE = 64 * 1024


@dataclass(frozen=True, kw_only=True)
class Identity:
    """The user a process runs as. `reach` lets it walk through folders that are closed to that user."""

    uid: int
    gid: int
    reach: bool = False


@dataclass(frozen=True, kw_only=True)
class ProcessSpec:
    """How to run one process. `argv` and `env` may be callables: they are asked again at every start.

    `env` is the whole environment of the process (None: that of this process). `ready` answers whether the process
    serves; it is asked again and again, and an OSError from it means "not yet". `before_start` is awaited before
    every start, `on_exit` with the return code after every end, before a restart. `advice` ends the error message.
    """

    name: str
    argv: Sequence[str] | Callable[[], Sequence[str]]
    env: Mapping[str, str] | Callable[[], Mapping[str, str]] | None = None
    cwd: Path | None = None
    ready: Callable[[], Awaitable[bool]] | None = None
    ready_timeout: timedelta = timedelta(minutes=3)
    before_start: Callable[[], Awaitable[None]] | None = None
    on_exit: Callable[[int], Awaitable[None]] | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout: timedelta = timedelta(seconds=10)
    restart: bool = True
    identity: Identity | None = None
    lock: Path | None = None
    pid_file: Path | None = None
    advice: str = ""


async def spawn(spec: ProcessSpec) -> Process:
    """Start the process of `spec`, bound to the life of this one; its output is one pipe.

    Raises EmbeddedServerError when the operating system refuses.
    """
    if threading.current_thread() is not threading.main_thread():
        # The kernel binds a child to the thread that made it.
        raise EmbeddedServerError(f"{spec.name} must be started from the main thread.")
    argv = spec.argv() if callable(spec.argv) else spec.argv
    env = spec.env() if callable(spec.env) else spec.env
    try:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", str(_LAUNCHER), *_launch_options(spec), "--", *argv),
            env=env,
            cwd=spec.cwd,
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=STDOUT,
            # Ctrl-C in a terminal reaches its whole group; only the supervisor stops its children.
            start_new_session=True,
        )
    except OSError as error:
        raise EmbeddedServerError(f"{spec.name} could not be started: {error}.") from error


def _launch_options(spec: ProcessSpec) -> list[str]:
    options = ["--signal", str(int(spec.stop_signal)), "--parent", str(os.getpid())]
    if spec.lock is not None:
        options += ["--lock", str(spec.lock)]
    if spec.pid_file is not None:
        options += ["--pid-file", str(spec.pid_file)]
    if spec.identity is not None:
        options += ["--uid", str(spec.identity.uid), "--gid", str(spec.identity.gid)]
        options += ["--reach", "1"] if spec.identity.reach else []
    return options


async def read_lines(process: Process) -> AsyncIterator[str]:
    """Every line the process prints; an endless one is cut into pieces, blank ones are left out."""
    if process.stdout is None:
        return
    rest = b""
    while chunk := await process.stdout.read(_LONGEST_LINE):
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > _LONGEST_LINE:
            lines, rest = [*lines, rest], b""
        for line in lines:
            if text := line.decode(errors="replace").rstrip():
                yield text
    if text := rest.decode(errors="replace").rstrip():
        yield text


async def run(spec: ProcessSpec) -> None:
    """Run a command to its end. Raises EmbeddedServerError with its last line when it fails."""
    process = await spawn(spec)
    try:
        lines = [line async for line in read_lines(process)]
        code = await process.wait()
    except asyncio.CancelledError:
        if process.returncode is None:
            process.kill()
        await process.wait()
        raise
    if code != 0:
        last = lines[-1] if lines else "nothing"
        raise EmbeddedServerError(f"{spec.name} ended with {code}; it last printed: {last}. {spec.advice}".strip())
