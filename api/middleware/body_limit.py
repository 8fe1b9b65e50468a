"""Refuses request bodies over their limit, whether they announce their size or not."""

import asyncio
import re
from contextlib import suppress
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from common.errors import TooLargeError

_LINGER_SECONDS = 1.0
_LINGER_FACTOR = 16


@dataclass(frozen=True, slots=True)
class BodyLimit:
    """Most bytes of a body, and the setting that says so. `slack` is for what stands around a file."""

    max_bytes: int
    setting: str = "MAX_BODY_BYTES"
    slack: int = 0

    def error(self) -> TooLargeError:
        """What a larger body is answered with."""
        return TooLargeError(f"the request body is too large; {self.setting} allows {self.max_bytes} bytes")

    def is_passed(self, size: int) -> bool:
        """Whether a body of `size` bytes is too large."""
        return size > self.max_bytes + self.slack


@dataclass(frozen=True, slots=True)
class UploadLimit:
    """Another limit for multipart bodies that are posted to paths that match."""

    paths: re.Pattern[str]
    limit: BodyLimit

    def covers(self, scope: Scope, headers: Headers) -> bool:
        """Whether the request is such an upload. All else is read into memory, and stays small."""
        is_multipart = headers.get("content-type", "").lower().startswith("multipart/form-data")
        return is_multipart and scope["method"] == "POST" and self.paths.fullmatch(scope["path"]) is not None


class BodyLimitMiddleware:
    """Raises `TooLargeError` without reading an announced body, or as soon as a chunked one passes the limit.

    A little of what still comes is read and thrown away, for a connection closed in the face of a writing client
    loses the answer.
    """

    def __init__(self, app: ASGIApp, *, limit: BodyLimit, uploads: UploadLimit) -> None:
        self._app = app
        self._limit = limit
        self._uploads = uploads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        limit = self._uploads.limit if self._uploads.covers(scope, headers) else self._limit
        announced = headers.get("content-length", "")
        if not announced.isdigit():
            await self._count(scope, receive, send, limit)
            return
        if limit.is_passed(int(announced)):
            if "expect" not in headers:  # such a client waits for our word before it sends anything
                await self._throw_away(receive)
            raise limit.error()
        await self._app(scope, receive, send)  # the server reads no more than was announced

    async def _count(self, scope: Scope, receive: Receive, send: Send, limit: BodyLimit) -> None:
        size, is_over, has_started = 0, False, False

        async def receive_counted() -> Message:
            nonlocal size, is_over
            message = await receive()
            size += len(message.get("body", b""))
            if limit.is_passed(size):
                is_over = True
                raise limit.error()
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
            raise limit.error()

    async def _throw_away(self, receive: Receive) -> None:
        left = self._limit.max_bytes * _LINGER_FACTOR
        with suppress(TimeoutError):
            async with asyncio.timeout(_LINGER_SECONDS):
                while left > 0:
                    message = await receive()
                    left -= len(message.get("body", b""))
                    if not message.get("more_body", False):
                        return
