"""Refuses request bodies over MAX_BODY_BYTES, whether they announce their size or not."""

import asyncio
from contextlib import suppress

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from common.errors import TooLargeError

_LINGER_SECONDS = 1.0
_LINGER_FACTOR = 16


class BodyLimitMiddleware:
    """Raises `TooLargeError` without reading an announced body, or as soon as a chunked one passes the limit.

    A little of what still comes is read and thrown away, for a connection closed in the face of a writing client
    loses the answer.
    """

    def __init__(self, app: ASGIApp, *, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        announced = headers.get("content-length", "")
        if not announced.isdigit():
            await self._count(scope, receive, send)
            return
        if int(announced) > self._max_bytes:
            if "expect" not in headers:  # such a client waits for our word before it sends anything
                await self._throw_away(receive)
            raise self._error()
        await self._app(scope, receive, send)  # the server reads no more than was announced

    async def _count(self, scope: Scope, receive: Receive, send: Send) -> None:
        size, is_over, has_started = 0, False, False

        async def receive_counted() -> Message:
            nonlocal size, is_over
            message = await receive()
            size += len(message.get("body", b""))
            if size > self._max_bytes:
                is_over = True
                raise self._error()
            return message

        async def send_unless_over(message: Message) -> None:
            # The framework turns what reading the body raised into its own 400.
            nonlocal has_started
            if is_over and not has_started:
                return
            has_started = True
            await send(message)

        try:
            await self._app(scope, receive_counted, send_unless_over)
        except TooLargeError:
            if not is_over:
                raise
        if is_over and not has_started:
            await self._throw_away(receive)
            raise self._error()

    async def _throw_away(self, receive: Receive) -> None:
        left = self._max_bytes * _LINGER_FACTOR
        with suppress(TimeoutError):
            async with asyncio.timeout(_LINGER_SECONDS):
                while left > 0:
                    message = await receive()
                    left -= len(message.get("body", b""))
                    if not message.get("more_body", False):
                        return

    def _error(self) -> TooLargeError:
        return TooLargeError(f"the request body is too large; MAX_BODY_BYTES allows {self._max_bytes} bytes")
