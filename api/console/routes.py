"""/console: the web page for operators and users. It holds no data; what it shows comes from the public interface."""

from collections.abc import Iterable

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.console.pages import INDEX, Page, load_pages

_PREFIX = "/console"
_API = "/api/v1/"
_ASSETS = "assets/"
_FOREVER = "public, max-age=31536000, immutable"  # the names of assets hold a hash of what is in them
_ASK_AGAIN = "no-cache"


def add_console(app: FastAPI, paths: Iterable[str], *, is_open: bool, may_register: bool) -> None:
    """Serve the console beside an interface that has these paths.

    `is_open` lets people in without a token, `may_register` shows strangers how to get an account.
    """
    features = frozenset(path.removeprefix(_API).partition("/")[0] for path in paths if path.startswith(_API))
    app.router.routes.extend([Route(_PREFIX, _show), Route(f"{_PREFIX}/{{path:path}}", _show)])
    app.state.console = load_pages(features, is_open=is_open, may_register=may_register)


async def _show(request: Request) -> Response:
    """An asset, or the one page that shows every view. Views have paths without a dot, so that typos are 404."""
    pages: dict[str, Page] = request.app.state.console
    path = request.path_params.get("path") or INDEX
    is_view = path not in pages and not path.startswith(_ASSETS) and "." not in path
    if (page := pages.get(INDEX if is_view else path)) is None:
        raise HTTPException(404)
    return _answer(request, page, _FOREVER if path.startswith(_ASSETS) else _ASK_AGAIN)


def _answer(request: Request, page: Page, caching: str) -> Response:
    headers = {"Cache-Control": caching, "ETag": page.etag, "Vary": "Accept-Encoding"}
    if request.headers.get("if-none-match") == page.etag:
        return Response(status_code=304, headers=headers)
    body = page.body
    if page.packed is not None and "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        body = page.packed
    return Response(body, headers=headers, media_type=page.media_type)
