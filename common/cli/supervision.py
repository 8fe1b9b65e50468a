"""Running a supervisor until somebody says stop: signals, the orderly end, and the end at once."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Collection

from common.cli.exits import ExitCode
from common.embedded.supervisor import Supervisor

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopSignals:
    """Ctrl-C, SIGTERM and a closed terminal, counted: the first asks for the end, the second for the end at once."""

    def __init__(self) -> None:
        self.first = asyncio.Event()
        self.second = asyncio.Event()
        self._number: signal.Signals | None = None

    def install(self) -> None:
        """Take these signals from now on, for as long as the running loop lives."""
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self._receive, number)

    @property
    def exit_code(self) -> ExitCode:
        """130 after Ctrl-C; a service manager's SIGTERM is an ordinary end."""
        return ExitCode.INTERRUPTED if self._number is signal.SIGINT else ExitCode.OK

    def _receive(self, number: signal.Signals) -> None:
        if self.first.is_set():
            self.second.set()
            return
        self._number = number
        self.first.set()


async def gather_or_cancel(*work: Awaitable[None]) -> None:
    """Await all; the first that fails ends the others and is raised as it is (a TaskGroup would wrap it)."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def run_until_stopped(work: Awaitable[None], signals: StopSignals) -> None:
    """Await `work`, then wait for a stop signal; the signal also ends the work. Raises what the work raised."""
    working = asyncio.ensure_future(work)
    stopping = asyncio.ensure_future(signals.first.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            await working
            await stopping
    finally:
        working.cancel()
        stopping.cancel()
        await asyncio.gather(working, stopping, return_exceptions=True)


async def stop_all(
    stop: Callable[[], Awaitable[None]], supervisor: Supervisor, names: Collection[str], signals: StopSignals
) -> None:
    """Await `stop()`; a second signal kills the named processes instead of waiting for them."""
    stopping = asyncio.ensure_future(stop())
    hurrying = asyncio.ensure_future(signals.second.wait())
    await asyncio.wait({stopping, hurrying}, return_when=asyncio.FIRST_COMPLETED)
    while not stopping.done():
        for name in names:
            # PostgreSQL's backends end with SIGQUIT; orphaned by SIGKILL they would take their time.
            supervisor.give_up(name, signal.SIGQUIT if name == "postgres" else signal.SIGKILL)
        await asyncio.wait({stopping}, timeout=0.1)
    hurrying.cancel()
    await stopping
