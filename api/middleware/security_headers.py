"""Headers that every answer carries, so that a browser does nothing with it that nobody asked for."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.access import is_console

type RawHeader = tuple[bytes, bytes]

DOCS_PATHS = frozenset({"/docs", "/redoc", "/docs/oauth2-redirect"})

_ALWAYS: tuple[RawHeader, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
)
_API: tuple[RawHeader, ...] = (
    *_ALWAYS,
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
# What Swagger UI and ReDoc load, and nothing else.
_DOCS: tuple[RawHeader, ...] = (
    *_ALWAYS,
    (
        b"content-security-policy",
        b"default-src 'none'; frame-ancestors 'none'; connect-src 'self'; worker-src blob:; "
        b"script-src 'unsafe-inline' https://cdn.jsdelivr.net; font-src https://fonts.gstatic.com; "
        b"style-src 'unsafe-inline' https://cdn.jsdelivr.net https://fonts.googleapis.com; "
        b"img-src 'self' data: https://fastapi.tiangolo.com https://cdn.redoc.ly",
    ),
)
# The console loads nothing from elsewhere and runs nothing that is not in one of its files.
_CONSOLE: tuple[RawHeader, ...] = (
    *_ALWAYS,
    (
        b"content-security-policy",
        b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; connect-src 'self'; "
        b"script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self'; "
        b"require-trusted-types-for 'script'; trusted-types 'none'",
    ),
)
_TLS_ONLY: RawHeader = (b"strict-transport-security", b"max-age=63072000")
_NO_STORE: RawHeader = (b"cache-control", b"no-store")


class SecurityHeadersMiddleware:
    """Outermost, around Socket.IO too. An answer that says nothing about caches must not be stored by any."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        added = _headers_for(scope["path"])

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [*message.get("headers", ()), *added]
                if scope.get("scheme") == "https":  # a trusted proxy may have said so further in
                    headers.append(_TLS_ONLY)
                if not any(name == b"cache-control" for name, _ in headers):
                    headers.append(_NO_STORE)
                message["headers"] = headers
            await send(message)

        await self._app(scope, receive, send_guarded)


def _headers_for(path: str) -> tuple[RawHeader, ...]:
    if path in DOCS_PATHS:
        return _DOCS
    return _CONSOLE if is_console(path) else _API
