"""Refuses requests for host names that are not ours."""

from collections.abc import Sequence

from loguru import logger
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from api.exception_handlers import answer_error
from common.errors import HeaderError
from common.ids import new_id


class TrustedHostMiddleware:
    """Answers 400 unless the one Host header names an entry of ALLOWED_HOSTS; the port does not matter.

    `*.example.com` stands for every name below example.com. An empty list lets every well-formed Host header pass:
    no answer is made from it.
    """

    def __init__(self, app: ASGIApp, *, allowed: Sequence[str]) -> None:
        self._app = app
        self._names = frozenset(name.lower() for name in allowed if not name.startswith("*."))
        self._endings = tuple(name[1:].lower() for name in allowed if name.startswith("*."))
        self._takes_all = not allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or self._is_ours(scope):
            await self._app(scope, receive, send)
            return
        request_id = str(scope.setdefault("state", {}).setdefault("request_id", str(new_id())))
        logger.warning("Host refused", request_id=request_id, path=scope["path"][:300])
        answer = answer_error(HTTPConnection(scope), HeaderError("the Host header names no host of this server"))
        answer.headers["X-Request-ID"] = request_id
        await answer(scope, receive, send)

    def _is_ours(self, scope: Scope) -> bool:
        given = [value for name, value in scope["headers"] if name == b"host"]
        if not given and self._takes_all:
            return bool(scope.get("http_version") == "1.0")  # probes of old proxies name no host
        if len(given) != 1:
            return False
        if self._takes_all:
            return True
        name = host_name(given[0].decode("latin-1"))
        return name in self._names or name.endswith(self._endings)


def host_name(host: str) -> str:
    """The name in a Host header, without port and brackets, in lower case."""
    name, _, port = host.rpartition(":")
    bare = name if name and port.isdigit() else host
    return bare.strip("[]").rstrip(".").lower()
