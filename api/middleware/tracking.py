"""Gives every request an id, and logs it when it is answered: a line, and an entry of the request log."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import perf_counter

from loguru import logger
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.authenticator import Caller
from api.exception_handlers import answer_error
from common.ids import new_id
from common.redaction import redact
from common.request_log import RequestEntry

HEADER = "X-Request-ID"
_RAW_HEADER = HEADER.lower().encode()
_CLEAN = re.compile(rb"[\x21-\x7e]{1,128}")
_QUIET = ("/health", "/live", "/ready", "/metrics")
_LONGEST_PATH_READ, _LONGEST_PATH_KEPT = 4096, 300

type Record = Callable[[RequestEntry], None]
type Observe = Callable[[str, str, int, float], None]


@dataclass(slots=True)
class _Exchange:
    """What passed between client and app. `status` is 0 until the answer begins, `ended` until it is out."""

    status: int = 0
    received: int = 0
    sent: int = 0
    ended: float = 0.0


class TrackingMiddleware:
    """Outermost: also answers what the middleware below it raises.

    `scope["state"]["request_id"]` holds the caller's X-Request-ID if it is 1 to 128 visible ASCII characters, else a
    new id; the answer repeats it and every log line written meanwhile carries it. `record` takes the entries of the
    request log; probes that found everything well make none. `observe` gets method, route, status and seconds of all.
    """

    def __init__(self, app: ASGIApp, *, record: Record | None = None, observe: Observe | None = None) -> None:
        self._app = app
        self._record = record
        self._observe = observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        with logger.contextualize(request_id=request_id):
            await self._track(scope, receive, send, request_id)

    async def _track(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        started, exchange = perf_counter(), _Exchange()
        own_header = (_RAW_HEADER, request_id.encode())

        async def receive_tracked() -> Message:
            message = await receive()
            exchange.received += len(message.get("body", b""))
            return message

        async def send_tracked(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                message["headers"] = [*message.get("headers", ()), own_header]
            await send(message)
            if message["type"] == "http.response.body":
                exchange.sent += len(message.get("body", b""))
                if not message.get("more_body", False):
                    exchange.ended = perf_counter()

        try:
            await self._app(scope, receive_tracked, send_tracked)
        except Exception as error:
            if exchange.status:
                raise
            await answer_error(HTTPConnection(scope), error)(scope, receive_tracked, send_tracked)
        finally:
            self._conclude(scope, exchange, (exchange.ended or perf_counter()) - started)

    def _conclude(self, scope: Scope, exchange: _Exchange, seconds: float) -> None:
        route = route_of(scope)
        _log(scope, route, exchange.status, seconds)
        if self._observe:
            self._observe(scope["method"], route, exchange.status, seconds)
        if self._record and (route not in _QUIET or exchange.status >= 400):
            self._record(_entry(scope, route, exchange, seconds))


def _request_id(scope: Scope) -> str:
    given = next((value for name, value in scope["headers"] if name == _RAW_HEADER), b"")
    return given.decode("ascii") if _CLEAN.fullmatch(given) else str(new_id())


def _log(scope: Scope, route: str, status: int, seconds: float) -> None:
    level = "WARNING" if status >= 500 else "DEBUG" if route in _QUIET else "INFO"
    logger.log(
        level,
        "Request answered" if status else "Request abandoned",
        method=scope["method"],
        route=route,
        status=status,
        duration_ms=round(seconds * 1000, 1),
    )


def _entry(scope: Scope, route: str, exchange: _Exchange, seconds: float) -> RequestEntry:
    state = scope["state"]
    caller: Caller | None = state.get("caller")
    return RequestEntry(
        id=new_id(),
        ts=datetime.now(UTC) - timedelta(seconds=seconds),
        method=scope["method"],
        route=route,
        path=redact(scope["path"][:_LONGEST_PATH_READ])[:_LONGEST_PATH_KEPT],
        status=exchange.status,
        duration_ms=round(seconds * 1000, 1),
        request_id=state["request_id"],
        user_id=caller.user_id if caller else None,
        tenant_id=caller.tenant_id if caller else None,
        request_bytes=exchange.received,
        response_bytes=exchange.sent,
        error_code=state.get("error_code"),
    )


def route_of(scope: Scope) -> str:
    """The path with parameters replaced by their names, so that lines can be counted by route."""
    if "endpoint" not in scope:
        return "unmatched"
    names = {str(value): f"{{{name}}}" for name, value in scope.get("path_params", {}).items()}
    return "/".join(names.get(part, part) for part in scope["path"].split("/"))
