"""Refuses request bodies over MAX_BODY_BYTES, whether they announce their size or not."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from common.errors import TooLargeError


class BodyLimitMiddleware:
    """Raises `TooLargeError` before reading an announced body, or as soon as a chunked one passes the limit."""

    def __init__(self, app: ASGIApp, *, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "0")
        if announced.isdigit() and int(announced) > self._max_bytes:
            raise self._error()
        await self._count(scope, receive, send)

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

        await self._app(scope, receive_counted, send_unless_over)
        if is_over and not has_started:
            raise self._error()

    def _error(self) -> TooLargeError:
        return TooLargeError(f"the request body is too large; MAX_BODY_BYTES allows {self._max_bytes} bytes")
