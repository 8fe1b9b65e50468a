"""The gate of production: nothing passes without a bearer token, but for a few paths that everybody needs."""

from time import monotonic

from loguru import logger
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from api.access import is_public
from api.audit import AuditLog
from api.authenticator import Authenticator, read_authorization
from api.exception_handlers import answer_error
from common.errors import UnauthorizedError

_ROWS_INTERVAL = 1.0


class BearerTokenAuthMiddleware:
    """Checks the Authorization header of every request and leaves the caller in `scope["state"]["caller"]`.

    Installed in production only; elsewhere `CallerDep` asks the same `Authenticator`. Every refusal is a line of the
    log; a flood of them becomes one audit event a second, which counts the others. `open_paths` need no token by
    the settings of this process.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        authenticator: Authenticator,
        audit: AuditLog,
        open_paths: frozenset[str] = frozenset(),
    ) -> None:
        self._app = app
        self._open_paths = open_paths
        self._authenticator = authenticator
        self._audit = audit
        self._log = logger.bind(logger="middleware.bearer_auth")
        self._next_row, self._unrecorded = 0.0, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or is_public(scope["method"], scope["path"]) or scope["path"] in self._open_paths:
            await self._app(scope, receive, send)
            return
        try:
            caller = await self._authenticator.identify(read_authorization(Headers(scope=scope)))
        except UnauthorizedError as error:
            self._refuse(scope, error)
            await answer_error(HTTPConnection(scope), error)(scope, receive, send)
            return
        self._log.debug("Access granted", user_id=caller.user_id)
        scope.setdefault("state", {})["caller"] = caller
        await self._app(scope, receive, send)

    def _refuse(self, scope: Scope, error: UnauthorizedError) -> None:
        method, path = scope["method"], scope["path"]
        request_id = scope.get("state", {}).get("request_id")
        self._log.warning("Access refused", reason=error.message, method=method, path=path, request_id=request_id)
        if monotonic() < self._next_row:
            self._unrecorded += 1
            return
        details = {"reason": error.message, "method": method, "unrecorded": self._unrecorded}
        self._audit.record("access.refused", actor=None, outcome="denied", request_id=request_id, details=details)
        self._next_row, self._unrecorded = monotonic() + _ROWS_INTERVAL, 0
