"""HTTP for many streams at a time: requests in httpx's words or in bytes, over connections of our own."""

from collections.abc import AsyncIterator, Sequence
from math import inf
from typing import Any

import httpx2

from worker.llm.connection import Connection
from worker.llm.connection_pool import ConnectionPool, Origin

# A proxy of the environment is not for servers on this machine.
_DIRECT: dict[str, None] = {f"all://{host}": None for host in ("127.0.0.1", "localhost", "[::1]")}
# What is no answer is only read for its message.
_MOST_OF_REFUSALS = 64 * 1024
_OK = range(200, 300)


class Body(httpx2.AsyncByteStream):
    """The body of an answer as it comes; of a refusal no more than its beginning."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._left = inf if connection.status in _OK else _MOST_OF_REFUSALS

    @property
    def is_plain(self) -> bool:
        """Whether the request succeeded and what is read is what was meant, not compressed."""
        return self._connection.status in _OK and not self.header(b"content-encoding")

    def header(self, name: bytes) -> str:
        """The answer's header of this name, in small letters; nothing when there is none."""
        return next((value.decode("latin-1") for key, value in self._connection.headers if key.lower() == name), "")

    def to_response(self, request: httpx2.Request | None = None) -> httpx2.Response:
        """The whole answer in httpx's words."""
        connection = self._connection
        return httpx2.Response(connection.status, headers=connection.headers, stream=self, request=request)

    async def read(self) -> bytes:
        """What has come since the last call, at least a byte; nothing at the end."""
        if self._left <= 0:
            return b""
        piece = await self._connection.read()
        self._left -= len(piece)
        return piece

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while piece := await self.read():
            yield piece

    async def aclose(self) -> None:
        """Keep the connection when everything was read, else close it."""
        self._connection.release()


class DirectTransport(httpx2.AsyncBaseTransport):
    """Sends requests through one pool. Of the timeouts it keeps that of connecting."""

    def __init__(self, pool: ConnectionPool) -> None:
        self.pool = pool

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send it; the answer's body is still to be read."""
        question = head_of(request.method, request.url, request.headers) + b"\r\n" + request.content
        timeout = request.extensions.get("timeout", {}).get("connect")
        connection = await self.pool.ask(Origin.of(request.url), question, timeout)
        return Body(connection).to_response()

    async def aclose(self) -> None:
        """Close every connection."""
        self.pool.close()


class StreamingClient(httpx2.AsyncClient):
    """An httpx client on `DirectTransport`; only where a proxy is set in the environment it is httpx's own."""

    def __init__(self, *, limits: httpx2.Limits, timeout: httpx2.Timeout) -> None:
        super().__init__(limits=limits, timeout=timeout, mounts=_DIRECT)

    def pool_for(self, url: httpx2.URL) -> ConnectionPool | None:
        """The pool that requests to `url` go through; None when they go through a proxy."""
        transport = self._transport_for_url(url)
        return transport.pool if isinstance(transport, DirectTransport) else None

    def _init_transport(self, **options: Any) -> httpx2.AsyncBaseTransport:  # type: ignore[override]
        limits: httpx2.Limits = options["limits"]
        return DirectTransport(ConnectionPool(httpx2.create_ssl_context(), lifetime=limits.keepalive_expiry or 0.0))


def head_of(method: str, url: httpx2.URL, headers: httpx2.Headers) -> bytes:
    """The head of a request, without the empty line at its end."""
    return b"%b %b HTTP/1.1\r\n%b" % (method.encode(), url.raw_path, lines_of(headers.raw))


def lines_of(headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Lines of a head. Raises `ValueError` for what would end a line too early."""
    lines = b"".join([b"%b: %b\r\n" % pair for pair in headers])
    if lines.count(b"\n") != len(headers) or lines.count(b"\r") != len(headers) or b"\0" in lines:
        raise ValueError("a header holds the end of a line")
    return lines
