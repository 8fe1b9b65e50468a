"""/openapi.json, /docs and /redoc, for whom DOCS_ACCESS names."""

import asyncio
import json
from functools import cache

from fastapi import Depends, FastAPI, Response
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html

from api.config import DocsAccess
from api.dependencies import get_caller

_DESCRIPTION = "/openapi.json"


def add_docs(app: FastAPI, access: DocsAccess) -> None:
    """Serve the description to everybody (`public`), to callers with a token (`token`), or to nobody (`off`).

    The pages for people come with `public` alone: a browser that opens a page sends no token.
    """
    if access == "off":
        return

    @cache
    def description() -> bytes:
        return json.dumps(app.openapi(), ensure_ascii=False).encode()

    writing = asyncio.Lock()

    async def read_description() -> Response:
        # It is written once, in a thread: its first readers wait, and nobody else.
        async with writing:
            content = await asyncio.to_thread(description)
        return Response(content, media_type="application/json")

    needed = [Depends(get_caller)] if access == "token" else []
    app.add_api_route(_DESCRIPTION, read_description, include_in_schema=False, dependencies=needed)
    if access == "public":
        app.add_api_route("/docs", _show_swagger, include_in_schema=False)
        app.add_api_route("/redoc", _show_redoc, include_in_schema=False)


async def _show_swagger() -> Response:
    return get_swagger_ui_html(openapi_url=_DESCRIPTION, title="Letuin")


async def _show_redoc() -> Response:
    return get_redoc_html(openapi_url=_DESCRIPTION, title="Letuin")
