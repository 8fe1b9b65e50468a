"""Keeps one process alive: start, wait until it is ready, watch, restart with backoff, stop."""

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import Process

from common.embedded.errors import EarlyEndError, EmbeddedServerError
from common.embedded.process import ProcessSpec, Sink, read_lines, spawn

_FIRST_BACKOFF, _LONGEST_BACKOFF, _HEALTHY_AFTER = 0.2, 10.0, 60.0
_ON_EXIT_LIMIT, _DRAIN_LIMIT = 5.0, 1.0


class Child:
    """One supervised process. `start`, then `stop`; between them it comes back whenever it ends."""

    def __init__(self, spec: ProcessSpec, sink: Sink) -> None:
        self.spec = spec
        self._sink = sink
        self._process: Process | None = None
        self._output: asyncio.Task[None] | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._last_line = ""
        self._reported: Process | None = None
        self._ready = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """Process id, or None while it does not run."""
        if self._process is None or self._process.returncode is not None:
            return None
        return self._process.pid

    async def start(self) -> None:
        """Returns when the process is ready. Raises EmbeddedServerError when it ends or stays silent too long."""
        try:
            await self._launch()
            await self._wait_ready()
        except BaseException:
            await self.stop()
            raise
        self._keeper = asyncio.create_task(self._keep(), name=f"keep {self.spec.name}")

    async def wait_ready(self) -> None:
        """Returns when the process is ready, at once if it already is."""
        await self._ready.wait()

    async def stop(self) -> None:
        """End the process: its stop signal, and SIGKILL to its group when `stop_timeout` is over."""
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        await self._end()

    def give_up(self, number: signal.Signals) -> None:
        """Send a signal, and let the process stay down; `stop` is still to come."""
        if self._keeper is not None:
            self._keeper.cancel()
        self.signal(number)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal if the process runs."""
        if (pid := self.pid) is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    async def _launch(self) -> None:
        if self.spec.before_start is not None:
            await self.spec.before_start()
        self._process = await spawn(self.spec)
        self._output = asyncio.create_task(self._forward(self._process), name=f"output of {self.spec.name}")

    async def _forward(self, process: Process) -> None:
        async for line in read_lines(process):
            self._last_line = line
            self._sink(self.spec.name, line)

    async def _wait_ready(self) -> None:
        """Poll `ready` while the process lives."""
        process, limit = self._process, self.spec.ready_timeout.total_seconds()
        if process is None:
            return
        exited = asyncio.create_task(process.wait())
        probing = asyncio.create_task(self._probe())
        try:
            await asyncio.wait({exited, probing}, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
            if exited.done():
                await self._drain()
                code = exited.result()
                raise EarlyEndError(self._problem(f"ended with {code} before it was ready"), code)
            if not probing.done():
                raise EmbeddedServerError(self._problem(f"was not ready after {limit:g} s"))
            await probing
            self._ready.set()
        finally:
            exited.cancel()
            probing.cancel()
            await asyncio.gather(exited, probing, return_exceptions=True)

    async def _probe(self) -> None:
        pause = 0.01
        while not await self._is_ready():
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, 0.2)

    async def _is_ready(self) -> bool:
        try:
            return self.spec.ready is None or await self.spec.ready()
        except OSError:
            return False

    def _problem(self, what: str) -> str:
        said = f"it last printed: {self._last_line}" if self._last_line else "it printed nothing"
        return f"{self.spec.name} {what}; {said}. {self.spec.advice}".strip()

    async def _keep(self) -> None:
        """Restart the process whenever it ends; a minute of health forgets earlier ends."""
        clock = asyncio.get_running_loop().time
        backoff, since = _FIRST_BACKOFF, clock()
        while (process := self._process) is not None:
            code = await process.wait()
            self._ready.clear()
            await self._report_exit(process, code)
            if not self.spec.restart:
                self._sink(self.spec.name, f"ended with {code}")
                return
            backoff = _FIRST_BACKOFF if clock() - since > _HEALTHY_AFTER else backoff
            self._sink(self.spec.name, f"ended with {code}; starting it again in {backoff:g} s")
            await asyncio.sleep(backoff)
            backoff, since = min(backoff * 2, _LONGEST_BACKOFF), clock()
            await self._restart()

    async def _restart(self) -> None:
        try:
            await self._launch()
            await self._wait_ready()
        except Exception as error:  # whatever it is, the next try comes
            self._sink(self.spec.name, f"not started again: {error}")
            await self._end()

    async def _end(self) -> None:
        process = self._process
        if process is None:
            return
        self.signal(self.spec.stop_signal)
        try:
            code = await asyncio.wait_for(process.wait(), self.spec.stop_timeout.total_seconds())
        except TimeoutError:
            self._sink(self.spec.name, f"did not stop within {self.spec.stop_timeout.total_seconds():g} s; killing it")
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            code = await process.wait()
        await self._report_exit(process, code)

    async def _drain(self) -> None:
        """Let the last lines through; a grandchild that keeps the pipe open must not hold us up."""
        if self._output is not None:
            await asyncio.wait({self._output}, timeout=_DRAIN_LIMIT)
            self._output.cancel()

    async def _report_exit(self, process: Process, code: int) -> None:
        await self._drain()
        if self.spec.on_exit is None or self._reported is process:
            return
        self._reported = process
        try:
            await asyncio.wait_for(self.spec.on_exit(code), _ON_EXIT_LIMIT)
        except Exception as error:  # the callback is somebody else's; the process must come back whatever it does
            self._sink(self.spec.name, f"after its end: {type(error).__name__}: {error}")
