"""Workers as processes of their own, which a test may kill, stop and continue."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import UUID

from common.ids import new_id

QUICK = {"LEASE_DURATION": "3", "HEARTBEAT_INTERVAL": "0.5", "WORKER_DRAIN_GRACE": "0.3"}
_ROOT = Path(__file__).parents[2]


class WorkerProcess:
    """One worker process in a session of its own. What it prints is kept."""

    def __init__(self, worker_id: UUID, process: Process) -> None:
        self.id = worker_id
        self.lines: list[str] = []
        self._process = process
        self._printed = asyncio.Condition()
        self._reading = asyncio.create_task(self._read())

    @property
    def is_alive(self) -> bool:
        return self._process.returncode is None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; nothing happens when the process is gone."""
        if self.is_alive:
            self._process.send_signal(number)

    async def kill(self) -> None:
        """SIGKILL, and wait until the process is gone."""
        self.signal(signal.SIGKILL)
        await self._process.wait()

    async def drain(self) -> int:
        """SIGTERM, and wait for the end. The exit code."""
        self.signal(signal.SIGTERM)
        return await asyncio.wait_for(self._process.wait(), 60)

    async def ended(self) -> int:
        """Wait for the end. The exit code, negative for a signal."""
        return await asyncio.wait_for(self._process.wait(), 60)

    async def printed(self, text: str, limit: float = 60) -> str:
        """The first line that holds `text`, waiting for it."""
        async with asyncio.timeout(limit), self._printed:
            while True:
                for line in self.lines:
                    if text in line:
                        return line
                if self._reading.done():
                    raise AssertionError("the worker ended early:\n" + "\n".join(self.lines[-30:]))
                await self._printed.wait()

    async def close(self) -> None:
        """End the process, also when it is stopped, and what reads from it."""
        await self.kill()
        await self._reading

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            async with self._printed:
                self.lines.append(line.decode(errors="replace").rstrip())
                self._printed.notify_all()
        async with self._printed:
            self._printed.notify_all()


class Fleet:
    """Starts workers on some stores, behind a command if one is given, and ends whatever is left."""

    def __init__(self, environment: Mapping[str, str], *, command: Sequence[str] = ()) -> None:
        self.environment = dict(environment)
        self._command = tuple(command)
        self.workers: list[WorkerProcess] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self.workers:
            await worker.close()

    async def start(self, count: int = 1, **changes: str) -> list[WorkerProcess]:
        """Start `count` workers side by side; returns when all are registered. `changes` are variables."""
        started = [await self._spawn(changes) for _ in range(count)]
        for worker in started:
            await worker.printed("Worker ready")
        return started

    async def start_one(self, **changes: str) -> WorkerProcess:
        return (await self.start(1, **changes))[0]

    async def _spawn(self, changes: Mapping[str, str]) -> WorkerProcess:
        worker_id = new_id()
        inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        own = {"LETUIN_WORKER_ID": str(worker_id), "WORKER_QUEUES": "default", "LOG_LEVEL": "INFO"}
        process = await asyncio.create_subprocess_exec(
            *(*self._command, sys.executable, "-m", "tests.faults.worker_entry"),
            env={**inherited, **QUICK, **self.environment, **own, **changes},
            stdout=PIPE,
            stderr=STDOUT,
            cwd=_ROOT,
            start_new_session=True,
            limit=2**20,
        )
        worker = WorkerProcess(worker_id, process)
        self.workers.append(worker)
        return worker
