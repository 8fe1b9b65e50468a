"""HTTP for many streams at a time: httpx over aiohttp, which reads a piece of a stream for a third of the CPU time."""

import io
import select
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from math import inf
from ssl import SSLContext
from typing import Any
from weakref import WeakSet

import aiohttp
import httpx2
from aiohttp.client_proto import ResponseHandler

BODY = "letuin.body"
"""The extension of a response that holds its `Body`."""
# A proxy of the environment is not for servers on this machine.
_DIRECT: dict[str, None] = {f"all://{host}": None for host in ("127.0.0.1", "localhost", "[::1]")}
_LARGE = 2**20
# What is no answer is only read for its message.
_MOST_OF_REFUSALS = 64 * 1024


class Body(httpx2.AsyncByteStream):
    """The body of an answer as it comes; of a refusal no more than its beginning."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer
        self._left = inf if answer.status < HTTPStatus.MULTIPLE_CHOICES else _MOST_OF_REFUSALS

    async def read(self) -> bytes:
        """What has come since the last call, at least a byte; nothing at the end."""
        if self._left <= 0:
            return b""
        try:
            piece = await self._answer.content.readany()
        except (aiohttp.ClientError, OSError) as error:
            raise _translate(error) from error
        self._left -= len(piece)
        return piece

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while piece := await self.read():
            yield piece

    async def aclose(self) -> None:
        """Keep the connection when everything was read, else close it."""
        if self._answer.content.at_eof():
            self._answer.release()
        else:
            self._answer.close()


class AiohttpTransport(httpx2.AsyncBaseTransport):
    """Sends requests through one pool of aiohttp. Of the timeouts it keeps that of connecting."""

    def __init__(self, ssl: SSLContext, limits: httpx2.Limits) -> None:
        self._ssl, self._limits = ssl, limits
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send it; the answer's body is still to be read."""
        if self._session is None:
            self._session = self._open()
        content = request.content
        timeout = aiohttp.ClientTimeout(sock_connect=request.extensions.get("timeout", {}).get("connect"))
        with _told():
            answer = await self._session.request(
                request.method,
                str(request.url),
                headers=request.headers.multi_items(),
                data=io.BytesIO(content) if len(content) >= _LARGE else content,
                allow_redirects=False,
                timeout=timeout,
            )
        body = Body(answer)
        extensions = {"http_version": b"HTTP/1.1", "reason_phrase": (answer.reason or "").encode(), BODY: body}
        return httpx2.Response(answer.status, headers=answer.raw_headers, stream=body, extensions=extensions)

    async def aclose(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        connector = _Connector(
            ssl=self._ssl,
            limit=self._limits.max_connections or 0,
            keepalive_timeout=self._limits.keepalive_expiry,
        )
        return aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False, trust_env=False
        )


class StreamingClient(httpx2.AsyncClient):
    """An httpx client on `AiohttpTransport`; only where a proxy is set in the environment it is httpx's own."""

    def __init__(self, *, limits: httpx2.Limits, timeout: httpx2.Timeout) -> None:
        super().__init__(limits=limits, timeout=timeout, mounts=_DIRECT)

    def _init_transport(self, **options: Any) -> httpx2.AsyncBaseTransport:  # type: ignore[override]
        return AiohttpTransport(httpx2.create_ssl_context(), options["limits"])


class _Connector(aiohttp.TCPConnector):
    """Looks at a kept connection before it is used again: a server that closed it may not have been heard yet."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._used: WeakSet[ResponseHandler] = WeakSet()

    async def connect(self, *arguments: Any, **options: Any) -> Any:
        while True:
            connection = await super().connect(*arguments, **options)
            protocol = connection.protocol
            if protocol is None or protocol not in self._used or not _has_something_to_say(protocol):
                if protocol is not None:
                    self._used.add(protocol)
                return connection
            connection.close()


def _has_something_to_say(protocol: ResponseHandler) -> bool:
    """Whether there is something to read before anything was asked: the end, as a rule."""
    socket = protocol.transport.get_extra_info("socket") if protocol.transport is not None else None
    if socket is None:
        return True
    poll = select.poll()
    poll.register(socket.fileno(), select.POLLIN)
    return bool(poll.poll(0))


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except (aiohttp.ClientError, OSError) as error:
        raise _translate(error) from error


def _translate(error: Exception) -> httpx2.TransportError:
    """In httpx's words."""
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return httpx2.ConnectTimeout(str(error))
    if isinstance(error, TimeoutError):
        return httpx2.ReadTimeout(str(error))
    if isinstance(error, aiohttp.ClientConnectorError):
        return httpx2.ConnectError(str(error))
    return httpx2.ReadError(str(error) or type(error).__name__)
