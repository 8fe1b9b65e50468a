"""Bounds what stands before a request's body: the URL, and how many and how large its headers are."""

from starlette.types import ASGIApp, Receive, Scope, Send

from common.errors import AppError, HeadersTooLargeError, UrlTooLongError


class HeadLimitMiddleware:
    """Raises `UrlTooLongError` (414) or `HeadersTooLargeError` (431); the message names the setting."""

    def __init__(self, app: ASGIApp, *, max_url_bytes: int, max_headers: int, max_header_bytes: int) -> None:
        self._app = app
        self._max_url_bytes = max_url_bytes
        self._max_headers = max_headers
        self._max_header_bytes = max_header_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (error := self._find_excess(scope)):
            raise error
        await self._app(scope, receive, send)

    def _find_excess(self, scope: Scope) -> AppError | None:
        url = len(scope.get("raw_path") or scope["path"]) + len(scope["query_string"])
        if url > self._max_url_bytes:
            return UrlTooLongError(f"the URL has {url} bytes; MAX_URL_BYTES allows {self._max_url_bytes}")
        headers = scope["headers"]
        if len(headers) > self._max_headers:
            return HeadersTooLargeError(f"{len(headers)} headers; MAX_HEADERS allows {self._max_headers}")
        size = sum([len(name) + len(value) for name, value in headers])
        if size > self._max_header_bytes:
            return HeadersTooLargeError(
                f"the headers have {size} bytes; MAX_HEADER_BYTES allows {self._max_header_bytes}"
            )
        return None
