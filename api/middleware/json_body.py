"""Reads and checks JSON bodies before anything else sees them, and refuses bodies of other kinds."""

import asyncio
from collections.abc import Callable
from functools import lru_cache

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.json_body import check_json
from api.route_table import RouteTable
from common.errors import MediaTypeError, SlowRequestError

_JSON = frozenset({"application/json"})
_WITHOUT_BODY = frozenset({"GET", "HEAD", "OPTIONS"})


class JsonBodyMiddleware:
    """Inside the size limit. Raises what `check_json` raises, `MediaTypeError` (415) and `SlowRequestError` (408).

    Bodies of other kinds go on unread to routes that take them. `timeout` is for the whole of a JSON body, in seconds.
    """

    def __init__(self, app: ASGIApp, *, max_depth: int, timeout: float, routes: Callable[[], RouteTable]) -> None:
        self._app = app
        self._max_depth = max_depth
        self._timeout = timeout
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in _WITHOUT_BODY or not _has_body(scope):
            await self._app(scope, receive, send)
            return
        if not is_json(_content_type(scope)):
            self._check_is_taken(scope)
            await self._app(scope, receive, send)
            return
        body = await self._read(receive)
        if body is None:
            return
        if body:
            check_json(body, max_depth=self._max_depth)
        await self._app(scope, _replaying(body, receive), send)

    async def _read(self, receive: Receive) -> bytes | None:
        """The whole body; None when the client went away."""
        pieces = []
        try:
            async with asyncio.timeout(self._timeout):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    pieces.append(message.get("body", b""))
                    if not message.get("more_body", False):
                        return b"".join(pieces)
        except TimeoutError as error:
            raise SlowRequestError(f"the body took longer than REQUEST_TIMEOUT, {self._timeout:g} s") from error

    def _check_is_taken(self, scope: Scope) -> None:
        taken = self._routes().media_types(scope["method"], scope["path"])
        given = media_type(_content_type(scope))
        if taken and given not in taken - _JSON:
            shown = f"not {given[:100]}" if given else "and a Content-Type header that says so"
            raise MediaTypeError(f"send {' or '.join(sorted(taken))}, {shown}")


def _has_body(scope: Scope) -> bool:
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value != b"0")
        for name, value in scope["headers"]
    )


def _content_type(scope: Scope) -> bytes:
    return next((value for name, value in scope["headers"] if name == b"content-type"), b"")


@lru_cache(maxsize=64)
def is_json(content_type: bytes) -> bool:
    """Whether it means JSON in UTF-8, the only encoding that JSON between systems may have (RFC 8259)."""
    name = media_type(content_type)
    parameters = content_type.decode("latin-1").lower().replace('"', "").replace(" ", "").split(";")[1:]
    charset = next((part.removeprefix("charset=") for part in parameters if part.startswith("charset=")), "utf-8")
    is_named = name == "application/json" or (name.startswith("application/") and name.endswith("+json"))
    return is_named and charset in ("utf-8", "utf8")


def media_type(content_type: bytes) -> str:
    """The type itself, without parameters, in lower case."""
    return content_type.decode("latin-1").partition(";")[0].strip().lower()


def _replaying(body: bytes, receive: Receive) -> Receive:
    """Gives the body that was read already, then what really comes."""
    is_given = False

    async def replay() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
