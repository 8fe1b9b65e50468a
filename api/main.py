"""The api process: `python -m api.main`."""

import argparse
import errno
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import NoReturn

import uvicorn
from fastapi import FastAPI
from loguru import logger
from pydantic import ValidationError
from starlette.types import ASGIApp
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from api.config import ApiSettings
from api.console.routes import add_console
from api.container import ApiContainer
from api.docs import add_docs
from api.exception_handlers import add_exception_handlers
from api.http_protocol import bounded_protocol
from api.interface import Interface
from api.layers import build_layers
from api.lifespan import create_lifespan
from api.middleware.host import TrustedHostMiddleware
from api.middleware.security_headers import SecurityHeadersMiddleware
from api.openapi import DESCRIPTION, TITLE
from api.settings_summary import summarize
from api.siblings import Place
from common.config import settings_error_lines
from common.errors import InvalidError
from common.garbage import calm_garbage_collection
from common.logger import configure_logging, shutdown_logging

_WRONG_SETTING, _CANNOT_LISTEN, _FAILED = 2, 3, 1


def create_app(settings: ApiSettings, container: ApiContainer | None = None) -> ASGIApp:
    """The whole interface as one ASGI app.

    Raises `InvalidError` when a secret cannot be kept in DATA_DIR, or MONGODB_URL is malformed.
    """
    container = container or ApiContainer(settings=settings)
    container.secret()  # the one thing that may fail before anything is opened
    return _guard(container.realtime().wrap(create_interface(settings, container)), settings)


def create_interface(settings: ApiSettings, container: ApiContainer) -> FastAPI:
    """The HTTP interface alone, without Socket.IO and what stands around both."""
    interface = Interface.of(container.catalog())
    app = FastAPI(
        title=TITLE,
        version=version("letuin"),
        description=DESCRIPTION,
        lifespan=create_lifespan(container, settings),
        middleware=build_layers(settings, container, lambda: interface.table),
        redirect_slashes=False,  # a redirect would name the host that the client claims
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    app.router.routes.extend(interface.routes)
    app.openapi = lambda: interface.document  # type: ignore[method-assign]  # as FastAPI documents it
    app.state.interface = interface
    add_exception_handlers(app)
    add_docs(app, settings.docs)
    if settings.console_enabled:
        paths = interface.table.paths
        add_console(app, paths, is_open=settings.environment.is_open, may_register=settings.may_register)
    return app


def _guard(app: ASGIApp, settings: ApiSettings) -> ASGIApp:
    """What stands around Socket.IO too."""
    guarded: ASGIApp = TrustedHostMiddleware(app, allowed=settings.allowed_hosts)
    if settings.trusted_proxies:
        guarded = ProxyHeadersMiddleware(guarded, list(settings.trusted_proxies))  # type: ignore[arg-type,assignment]
    return SecurityHeadersMiddleware(guarded)


def main() -> None:
    """Serve until SIGTERM or SIGINT. Exits with 2 for a wrong setting, 3 when the port cannot be had."""
    place = _parse_place(sys.argv[1:])
    settings = _load_settings()
    try:
        configure_logging(settings, process="api" if place is None else f"api-{place.number}")
    except InvalidError as error:
        _exit(_WRONG_SETTING, error.message)
    try:
        _serve(settings, place)
    finally:
        shutdown_logging()


def _parse_place(arguments: list[str]) -> Place | None:
    parser = argparse.ArgumentParser(prog="api", description="One api process; `letuin api` starts several.")
    parser.add_argument("--number", type=int, default=1, help="which of those behind one port (API_PROCESSES)")
    parser.add_argument("--folder", type=Path, help="where they find each other")
    flags = parser.parse_args(arguments)
    return None if flags.folder is None else Place(flags.number, flags.folder)


def _serve(settings: ApiSettings, place: Place | None) -> None:
    container = ApiContainer(settings=settings, place=place)
    try:
        app = create_app(settings, container)
    except InvalidError as error:
        _exit(_WRONG_SETTING, error.message)
    listener = _listen(settings)
    config = uvicorn.Config(
        app,
        log_config=None,
        http=bounded_protocol(max_head_bytes=_largest_head(settings), head_timeout=settings.request_timeout),
        access_log=False,  # the tracking middleware logs requests
        proxy_headers=False,  # uvicorn would believe every process of this machine
        server_header=False,
        # Every browser offers it: twice the CPU for each delivery, and a window of memory for each connection.
        ws_per_message_deflate=False,
        lifespan="on",
        timeout_graceful_shutdown=int(settings.api_stop_timeout.total_seconds()),
    )
    server = _Server(config, on_exit=partial(_let_go, container))
    # uvicorn raises the signal again when it has stopped; the log still has to be written then.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with listener, suppress(KeyboardInterrupt):
        logger.info("The api listens", url=_url(listener), environment=str(settings.environment))
        logger.info("Settings that decide about security", **summarize(settings))
        calm_garbage_collection()
        server.run(sockets=[listener])
    if not server.started:
        sys.exit(_FAILED)


def _largest_head(settings: ApiSettings) -> int:
    return settings.max_url_bytes + settings.max_header_bytes


def _let_go(container: ApiContainer) -> None:
    """End the answers that only wait."""
    container.waiter().stop()
    container.event_streams().stop()


class _Server(uvicorn.Server):
    """Lets requests that only wait go as soon as the process is told to stop."""

    def __init__(self, config: uvicorn.Config, *, on_exit: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_exit = on_exit

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._on_exit()
        super().handle_exit(sig, frame)


def _load_settings() -> ApiSettings:
    try:
        return ApiSettings()
    except ValidationError as error:
        _exit(_WRONG_SETTING, *settings_error_lines(error))


def _listen(settings: ApiSettings) -> socket.socket:
    """The listening socket, taken before anything is started."""
    host, port = settings.api_host, settings.api_port
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        # Processes that share a port have a queue of connections each, which the kernel fills in turn.
        is_shared = settings.api_processes > 1
        return socket.create_server((host, port), family=family, backlog=2048, reuse_port=is_shared)
    except OSError as error:
        is_taken = error.errno == errno.EADDRINUSE
        reason = "is in use by another process" if is_taken else f"cannot be used ({error.strerror})"
        _exit(_CANNOT_LISTEN, f"{host}:{port} {reason}; stop that process, or set API_HOST and API_PORT")


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _exit(code: int, *lines: str) -> NoReturn:
    sys.stderr.write("".join(f"{line}\n" for line in lines))
    sys.exit(code)


if __name__ == "__main__":
    main()
