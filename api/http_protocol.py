"""uvicorn's HTTP protocol with bounds on what comes before a request is whole: nothing else sees that."""

import asyncio
import json
from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from common.ids import new_id

# One read brings so much; more of a head than its limit and one read is never kept.
_ONE_READ = 256 * 1024


def bounded_protocol(*, max_head_bytes: int, head_timeout: timedelta) -> type[HttpToolsProtocol]:
    """The protocol class for `uvicorn.Config(http=...)`.

    A head (request line and headers) that grows past `max_head_bytes` is answered with 431, one that is not whole
    after `head_timeout` with 408, and what is no HTTP with 400: problem details each, and the connection closes.
    """
    limits = {"max_head_bytes": max_head_bytes + _ONE_READ, "head_seconds": head_timeout.total_seconds()}
    return type("BoundedHttpProtocol", (_BoundedProtocol,), limits)


class _BoundedProtocol(HttpToolsProtocol):
    max_head_bytes: int
    head_seconds: float

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head_bytes = 0
        self._is_in_head = False
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._is_in_head and not self.transport.is_closing():
            self._head_bytes += len(data)
            if self._head_bytes > self.max_head_bytes:
                self._refuse(431, "headers_too_large", "the headers are too large; MAX_HEADER_BYTES says how large")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_in_head, self._head_bytes = True, 0
        if self._deadline is None:
            self._await_head()

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        self._stop_waiting()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, "bad_request", msg)

    def _await_head(self) -> None:
        self._deadline = self.loop.call_later(self.head_seconds, self._give_up)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        if self.transport.is_closing():
            return
        if self._is_in_head:
            self._refuse(408, "request_timeout", "the headers took longer than REQUEST_TIMEOUT")
        else:
            self.transport.close()

    def _refuse(self, status: int, code: str, detail: str) -> None:
        request_id = str(new_id())
        body = json.dumps(
            {
                "type": f"urn:letuin:problem:{code}",
                "title": HTTPStatus(status).phrase,
                "status": status,
                "detail": detail,
                "instance": "/",
                "code": code,
                "request_id": request_id,
            }
        ).encode()
        headers = {"Content-Type": "application/problem+json", "Content-Length": len(body), "X-Request-ID": request_id}
        self.transport.write(_head(status, headers) + body)
        self.transport.close()


def _head(status: int, headers: Mapping[str, object]) -> bytes:
    always = {"Connection": "close", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
    lines += [f"{name}: {value}" for name, value in {**headers, **always}.items()]
    return "\r\n".join([*lines, "", ""]).encode()
