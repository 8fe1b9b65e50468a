"""Worker processes of a run: started as children, measured, and ended with all that they started."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

import psutil

from common.embedded import launch


class WorkerProcess:
    """One worker command in a process group of its own; its output goes to a file in `folder`."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], folder: Path) -> None:
        # Through the launcher, so that it ends with this process, however that ends.
        ending = ["--signal", str(int(signal.SIGTERM)), "--parent", str(os.getpid())]
        self._command = [sys.executable, "-I", "-S", launch.__file__, *ending, "--", *command]
        self._environment = dict(environment)
        self.log = folder / "worker.log"
        self._process: subprocess.Popen[bytes] | None = None

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.stop()

    def start(self) -> None:
        """Start the command."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, env=self._environment, stdout=log, stderr=log, start_new_session=True
            )

    def kill(self) -> None:
        """SIGKILL for the whole group, as when the machine takes it."""
        if self._process is not None:
            self._signal(signal.SIGKILL)
            self._process.wait()

    def kill_child(self, module: str) -> None:
        """SIGKILL for the Python processes below that run `module`, not for those that watch over them."""
        for process in self._family():
            with suppress(psutil.NoSuchProcess):
                if process.cmdline()[1:4] == ["-P", "-m", module]:
                    process.kill()

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL for what is left after a few seconds."""
        if self._process is None:
            return
        self._signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            await asyncio.to_thread(self._process.wait, 8)
        self.kill()

    @property
    def has_ended(self) -> bool:
        """Whether the command is gone."""
        return self._process is None or self._process.poll() is not None

    def cpu_seconds(self) -> float:
        """User and system time of the processes of this worker so far."""
        return sum(_cpu(process) for process in self._family())

    def memory_mb(self) -> float:
        """Resident memory of the processes of this worker."""
        return sum(_rss(process) for process in self._family()) / 2**20

    def _family(self) -> list[psutil.Process]:
        if self.has_ended or self._process is None:
            return []
        try:
            parent = psutil.Process(self._process.pid)
            return [parent, *parent.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def _signal(self, signum: signal.Signals) -> None:
        assert self._process is not None
        try:
            os.killpg(self._process.pid, signum)
        except ProcessLookupError:
            return


def _cpu(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
        return float(times.user + times.system)
    except psutil.NoSuchProcess:
        return 0.0


def _rss(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0
