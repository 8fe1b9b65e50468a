"""A TCP proxy whose faults the test chooses while connections live."""

import asyncio
import contextlib
from dataclasses import dataclass
from types import TracebackType
from typing import Self


@dataclass(slots=True)
class Faults:
    """What happens to bytes now.

    `delay` in seconds each way; `is_silent` keeps connections open and passes nothing; `refuses` ends every new
    connection at once; `cut_after` resets a connection once that many bytes came back from the server.
    """

    delay: float = 0.0
    is_silent: bool = False
    refuses: bool = False
    cut_after: int | None = None


class TcpProxy:
    """Passes connections on to one server of this machine. Change `faults` at any time."""

    def __init__(self, port: int, *, host: str = "127.0.0.1") -> None:
        self.faults = Faults()
        self._host = host
        self._target = port
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._heard = asyncio.Event()
        self._heard.set()

    @property
    def port(self) -> int:
        """Where clients connect."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, self._host, 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        self.reset()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def silence(self) -> None:
        """Pass nothing any more, and keep every connection open."""
        self.faults.is_silent = True
        self._heard.clear()

    def speak(self) -> None:
        """Pass again what was held back."""
        self.faults.is_silent = False
        self._heard.set()

    def reset(self) -> None:
        """End every connection with a reset."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            if self.faults.refuses:
                return
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            return
        else:
            self._writers.add(server_writer)
            there = asyncio.create_task(self._pass(reader, server_writer, counts=False))
            back = asyncio.create_task(self._pass(server_reader, writer, counts=True))
            self._tasks |= {there, back}
            await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
            self._drop(server_writer)
        finally:
            self._drop(writer)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, counts: bool) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while data := await reader.read(64 * 1024):
                if self.faults.delay:
                    await asyncio.sleep(self.faults.delay)
                await self._heard.wait()
                limit = self.faults.cut_after
                passed += len(data) if counts else 0
                if counts and limit is not None and passed > limit:
                    return
                writer.write(data)
                await writer.drain()

    def _drop(self, writer: asyncio.StreamWriter) -> None:
        self._writers.discard(writer)
        writer.transport.abort()
