"""A span for each request, below the caller's when it sends a traceparent. Installed only where there is tracing."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.middleware.tracking import route_of
from common.redaction import redact
from common.tracing.tracer import Span, SpanKind, Tracer

_LONGEST_PATH = 300


class TracingMiddleware:
    """Stands inside of the tracking middleware; what the app submits below it goes on in the same trace."""

    def __init__(self, app: ASGIApp, *, tracer: Tracer) -> None:
        self._app = app
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        span = self._start(scope)

        async def send_seen(message: Message) -> None:
            if message["type"] == "http.response.start":
                _describe(span, scope, message["status"])
            await send(message)

        with self._tracer.use(span):
            await self._app(scope, receive, send_seen)

    def _start(self, scope: Scope) -> Span:
        about = {
            "http.request.method": scope["method"],
            "url.path": redact(scope["path"][:_LONGEST_PATH]),
            "url.scheme": scope["scheme"],
            "letuin.request_id": scope["state"]["request_id"],
        }
        given = next((value for name, value in scope["headers"] if name == b"traceparent"), b"")
        parent = given.decode("ascii", "ignore") or None
        return self._tracer.start(scope["method"], SpanKind.SERVER, about, parent=parent, is_root=True)


def _describe(span: Span, scope: Scope, status: int) -> None:
    route = route_of(scope)
    span.rename(f"{scope['method']} {route}")
    span.set("http.route", route)
    span.set("http.response.status_code", status)
    if status >= 500:
        span.fail(str(status))
