"""The gate of production: nothing passes without a bearer token, but for a few paths that everybody needs."""

from loguru import logger
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from api.authenticator import Authenticator
from api.exception_handlers import answer_error
from common.errors import UnauthorizedError

_EXEMPT_PATHS = frozenset({"/docs", "/redoc", "/openapi.json", "/health", "/favicon.ico", "/live", "/ready"})
_EXEMPT_CALLS = frozenset({("POST", "/api/v1/auth/login")})


class BearerTokenAuthMiddleware:
    """Checks the Authorization header of every request and leaves the caller in `scope["state"]["caller"]`.

    Installed in production only; elsewhere `CallerDep` asks the same `Authenticator`.
    """

    def __init__(self, app: ASGIApp, *, authenticator: Authenticator) -> None:
        self._app = app
        self._authenticator = authenticator
        self._log = logger.bind(logger="middleware.bearer_auth")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or _is_exempt(scope):
            await self._app(scope, receive, send)
            return
        try:
            caller = await self._authenticator.identify(Headers(scope=scope).get("authorization"))
        except UnauthorizedError as error:
            self._log.warning("Access refused", reason=error.message, method=scope["method"], path=scope["path"])
            await answer_error(HTTPConnection(scope), error)(scope, receive, send)
            return
        self._log.debug("Access granted", user_id=caller.user_id)
        scope.setdefault("state", {})["caller"] = caller
        await self._app(scope, receive, send)


def _is_exempt(scope: Scope) -> bool:
    # A CORS preflight never carries a token; the layer above answers it.
    return scope["path"] in _EXEMPT_PATHS or (scope["method"], scope["path"]) in _EXEMPT_CALLS
