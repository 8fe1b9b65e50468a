"""Gives every request an id, and logs one line when it is answered."""

import re
from time import perf_counter

from loguru import logger
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.exception_handlers import answer_error
from common.ids import new_id

HEADER = "X-Request-ID"
_CLEAN = re.compile(r"[\x21-\x7e]{1,128}")
_QUIET = ("/health", "/live", "/ready")


class TrackingMiddleware:
    """Outermost: also answers what the middleware below it raises.

    `scope["state"]["request_id"]` holds the caller's X-Request-ID if it is 1 to 128 visible ASCII characters, else a
    new id; the answer repeats it and every log line written meanwhile carries it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        with logger.contextualize(request_id=request_id):
            await self._track(scope, receive, send, request_id)

    async def _track(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        started, status = perf_counter(), 0

        async def send_tracked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = request_id
            await send(message)

        try:
            await self._app(scope, receive, send_tracked)
        except Exception as error:
            if status:
                raise
            await answer_error(HTTPConnection(scope), error)(scope, receive, send_tracked)
        finally:
            _log(scope, status, perf_counter() - started)


def _request_id(scope: Scope) -> str:
    given = Headers(scope=scope).get(HEADER, "")
    return given if _CLEAN.fullmatch(given) else str(new_id())


def _log(scope: Scope, status: int, seconds: float) -> None:
    route = _route(scope)
    level = "WARNING" if status >= 500 else "DEBUG" if route in _QUIET else "INFO"
    logger.log(
        level,
        "Request answered" if status else "Request abandoned",
        method=scope["method"],
        route=route,
        status=status,
        duration_ms=round(seconds * 1000, 1),
    )


def _route(scope: Scope) -> str:
    """The path with parameters replaced by their names, so that lines can be counted by route."""
    if "endpoint" not in scope:
        return "unmatched"
    names = {str(value): f"{{{name}}}" for name, value in scope.get("path_params", {}).items()}
    return "/".join(names.get(part, part) for part in scope["path"].split("/"))
