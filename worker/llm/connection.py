"""One HTTP/1.1 connection to a provider: a question goes out as bytes, its answer is read as it comes.

The layers of a general client (streams, payloads, cookies, redirects) cost more CPU time than all else of a call:
decision 0014.
"""

import asyncio
import select
from typing import Protocol, cast

import httpx2
from httptools import HttpParserError, HttpResponseParser

_MOST_UNREAD = 2**18
_FIRST_FINAL = 200


class Home(Protocol):
    """Whom a connection belongs to."""

    def keep(self, connection: "Connection") -> None:
        """It can be asked again."""
        ...

    def forget(self, connection: "Connection") -> None:
        """It is closed."""
        ...


class Connection(asyncio.Protocol):
    """Made by `ConnectionPool`. One question at a time: `ask`, `read` until nothing comes, `release`.

    `status` and `headers` are those of the answer.
    """

    def __init__(self, home: Home) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self._home = home
        self._transport: asyncio.Transport | None = None
        self._parser = HttpResponseParser(self)
        self._waiter: asyncio.Future[None] | None = None
        self._pieces: list[bytes] = []
        self._unread = 0
        self._error: httpx2.TransportError | None = None
        self._is_asked = self._has_head = self._is_whole = self._keeps = False

    async def ask(self, question: bytes) -> None:
        """Send it. Returns when status and headers of the answer are here; raises `httpx2.TransportError`."""
        self.headers = []
        self._is_asked, self._has_head, self._is_whole = True, False, False
        if self._transport is not None:
            self._transport.write(question)
        while not self._has_head:
            await self._more()

    async def read(self) -> bytes:
        """What has come of the body since the last call, at least a byte; nothing at its end."""
        while not self._pieces:
            if self._is_whole:
                return b""
            await self._more()
        found = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        if self._unread >= _MOST_UNREAD and self._transport is not None:
            self._transport.resume_reading()
        self._unread = 0
        return found

    def release(self) -> None:
        """The answer is not needed any more. Who has read all of it leaves the connection to others."""
        is_clean = self._is_whole and self._keeps and not self._pieces and self._error is None
        if is_clean and self._transport is not None:
            self._is_asked = False
            self._home.keep(self)
        else:
            self.close()

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.abort()

    def is_usable(self) -> bool:
        """Whether it can be asked: not when there is something to read already, as a rule its end, still unheard."""
        if self._transport is None or self._transport.is_closing():
            return False
        poll = select.poll()
        poll.register(self._transport.get_extra_info("socket").fileno(), select.POLLIN)
        return not poll.poll(0)

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Part of an answer, or what nobody asked for."""
        if not self._is_asked:
            self.close()
            return
        try:
            self._parser.feed_data(data)
        except HttpParserError as error:
            self._fail(httpx2.RemoteProtocolError(f"no answer of HTTP ({type(error).__name__})"))
            self.close()
        self._wake()

    def connection_lost(self, error: Exception | None) -> None:
        """An answer that told no length is whole now; any other that is not is broken."""
        self._transport = None
        self._home.forget(self)
        if error is None and self._has_head and not self._has_length():
            self._is_whole = True
        elif not self._is_whole:
            self._fail(httpx2.ReadError("the connection broke off"))
        self._wake()

    # What the parser calls

    def on_message_begin(self) -> None:
        """One that nobody asked for spoils the connection."""
        self._keeps = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """One line of the head, or of what follows a body in chunks."""
        if not self._has_head:
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """The head is whole; what is only informational is forgotten."""
        if self._is_whole:
            return
        self.status = self._parser.get_status_code()
        if self.status < _FIRST_FINAL:
            self.headers = []
        else:
            self._has_head = True

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        if self._is_whole:
            return
        self._pieces.append(body)
        before, self._unread = self._unread, self._unread + len(body)
        if before < _MOST_UNREAD <= self._unread and self._transport is not None:
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        """The answer is whole."""
        if self._has_head and not self._is_whole:
            self._keeps = self._parser.should_keep_alive()
            self._is_whole = True

    async def _more(self) -> None:
        """Wait for anything to come."""
        if self._error is not None:
            raise self._error
        if self._transport is None:
            raise httpx2.ReadError("the connection broke off")
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _fail(self, error: httpx2.TransportError) -> None:
        self._error = self._error or error

    def _has_length(self) -> bool:
        return any(name.lower() in (b"content-length", b"transfer-encoding") for name, _ in self.headers)
