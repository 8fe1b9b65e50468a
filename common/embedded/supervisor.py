"""Runs a set of processes as one: tiers come up in order, go down in reverse, and whatever dies comes back."""

import asyncio
import signal
from types import TracebackType
from typing import Self

from common.embedded.child import Child
from common.embedded.errors import EmbeddedServerError
from common.embedded.process import ProcessSpec, Sink


def discard(_name: str, _line: str) -> None:
    """The sink for those who do not look."""


class Supervisor:
    """Starts, watches, restarts and stops processes. Use it from the main thread's event loop.

    Leaving the `async with` block, like `stop`, ends every process; so does the end of this process itself,
    however it ends.
    """

    def __init__(self, sink: Sink = discard) -> None:
        self._sink = sink
        self._tiers: list[list[Child]] = []
        self._stop: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self, *specs: ProcessSpec) -> None:
        """Start these processes side by side and return when all are ready; they stop before all earlier ones.

        Raises EmbeddedServerError for the first that fails, which is forgotten; the others stay until `stop`.
        """
        if self._is_stopping():
            raise EmbeddedServerError("The supervisor is stopping; nothing new is started.")
        tier = [Child(spec, self._sink) for spec in specs]
        self._tiers.append(tier)
        results = await asyncio.gather(*(child.start() for child in tier), return_exceptions=True)
        if self._is_stopping():
            # A stop that came while these were starting may have passed them by.
            await asyncio.gather(*(child.stop() for child in tier))
        failed = [(child, error) for child, error in zip(tier, results, strict=True) if error is not None]
        for child, _ in failed:
            tier.remove(child)
        for _, error in failed:
            raise error

    async def stop(self) -> None:
        """End every process, the latest tier first. Every further call waits for the same end."""
        if self._stop is None:
            self._stop = asyncio.create_task(self._stop_tiers(), name="stop")
        # Shielded: a second Ctrl-C cancels the caller, never the work.
        await asyncio.shield(self._stop)

    def pid(self, name: str) -> int | None:
        """Process id of the named process, or None while it does not run."""
        return next((child.pid for child in self._children() if child.spec.name == name and child.pid), None)

    def terminate(self, name: str, number: signal.Signals = signal.SIGTERM) -> None:
        """Send the named process a signal; it is started again when it ends."""
        for child in self._children():
            if child.spec.name == name:
                child.signal(number)

    def give_up(self, name: str, number: signal.Signals) -> None:
        """Send the named process a signal while everything stops; it is not started again."""
        for child in self._children():
            if child.spec.name == name:
                child.give_up(number)

    async def wait_ready(self, name: str) -> None:
        """Returns when the named process is ready, for example again after it was killed."""
        await asyncio.gather(*(child.wait_ready() for child in self._children() if child.spec.name == name))

    def _is_stopping(self) -> bool:
        return self._stop is not None

    def _children(self) -> list[Child]:
        return [child for tier in self._tiers for child in tier]

    async def _stop_tiers(self) -> None:
        for tier in reversed(self._tiers):
            await asyncio.gather(*(child.stop() for child in tier))
