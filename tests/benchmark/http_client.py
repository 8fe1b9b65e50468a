"""HTTP/1.1 connections that cost next to nothing, so that the server is what is measured."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

_END_OF_HEAD = b"\r\n\r\n"
_LENGTH = b"\r\ncontent-length: "


@dataclass(frozen=True)
class Request:
    """What is sent, and the status that the answer must have."""

    method: str
    path: str
    expected: int
    body: bytes = b""

    def encoded(self, headers: Mapping[str, str]) -> bytes:
        """The bytes on the wire."""
        lines = [f"{self.method} {self.path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(self.body)}"]
        lines += ["Content-Type: application/json", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode() + self.body


class Connection(asyncio.Protocol):
    """Keep-alive requests, one after the other: `async with await Connection.open(port) as connection:`."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._missing = 0
        self._answer: asyncio.Future[int] | None = None

    @classmethod
    async def open(cls, port: int) -> Self:
        """Connect to this machine. Raises `OSError`."""
        _, connection = await asyncio.get_running_loop().create_connection(cls, "127.0.0.1", port)
        return connection

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._transport is not None
        self._transport.close()

    def send(self, encoded: bytes) -> asyncio.Future[int]:
        """The status of the answer, when its body is there too; it is dropped."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._received, self._missing = b"", 0
        self._transport.write(encoded)
        return self._answer

    def connection_made(self, transport: Any) -> None:  # uvloop's are no subclass of asyncio's
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self._missing and (end := self._received.find(_END_OF_HEAD)) >= 0:
            head = self._received[: end + 2].lower()
            start = head.index(_LENGTH) + len(_LENGTH)
            self._missing = end + 4 + int(head[start : head.index(b"\r\n", start)])
        if self._missing and len(self._received) >= self._missing and self._answer is not None:
            self._answer.set_result(int(self._received[9:12]))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError("the server closed the connection"))
