"""The api process: `python -m api.main`."""

import errno
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from importlib.metadata import version
from types import FrameType
from typing import NoReturn

import uvicorn
from fastapi import FastAPI
from loguru import logger
from pydantic import ValidationError
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from api import health
from api.config import ApiSettings
from api.container import ApiContainer
from api.exception_handlers import add_exception_handlers
from api.lifespan import create_lifespan
from api.middleware.auth import BearerTokenAuthMiddleware
from api.middleware.body_limit import BodyLimitMiddleware
from api.middleware.tracking import TrackingMiddleware
from api.v1.router import create_router
from common.config import settings_error_lines
from common.errors import InvalidError
from common.logger import configure_logging, shutdown_logging

_WRONG_SETTING, _CANNOT_LISTEN, _FAILED = 2, 3, 1
_EXPOSED_HEADERS = (
    "ETag",
    "Idempotency-Replayed",
    "Link",
    "Location",
    "Preference-Applied",
    "Retry-After",
    "X-Request-ID",
)


def create_app(settings: ApiSettings, container: ApiContainer | None = None) -> ASGIApp:
    """The whole interface as one ASGI app.

    Raises `InvalidError` when a secret cannot be kept in DATA_DIR, or MONGODB_URL is malformed.
    """
    container = container or ApiContainer(settings=settings)
    container.secret()  # the one thing that may fail before anything is opened
    app = FastAPI(
        title="Letuin",
        version=version("letuin"),
        description="An AI job backend: submit work, get a job at once, receive every step of it.",
        lifespan=create_lifespan(container, settings),
        middleware=_middleware(settings, container),
        docs_url="/docs" if settings.docs_enabled else None,
        redoc_url="/redoc" if settings.docs_enabled else None,
        openapi_url="/openapi.json" if settings.docs_enabled else None,
    )
    add_exception_handlers(app)
    app.include_router(health.router)
    app.include_router(create_router(container.catalog()))
    whole: ASGIApp = container.realtime().wrap(app)
    return whole


def _middleware(settings: ApiSettings, container: ApiContainer) -> list[Middleware]:
    """Outermost first."""
    writer = container.request_log_writer()
    layers = [Middleware(TrackingMiddleware, record=writer.record if writer else None)]
    if settings.cors_origins:
        layers.append(
            Middleware(
                CORSMiddleware,
                allow_origins=settings.cors_origins,
                allow_methods=["*"],
                allow_headers=["*"],
                expose_headers=_EXPOSED_HEADERS,
            )
        )
    if settings.is_production:
        gate = Middleware(BearerTokenAuthMiddleware, authenticator=container.authenticator(), audit=container.audit())
        layers.append(gate)
    layers.append(Middleware(BodyLimitMiddleware, max_bytes=settings.max_body_bytes))
    return layers


def main() -> None:
    """Serve until SIGTERM or SIGINT. Exits with 2 for a wrong setting, 3 when the port cannot be had."""
    settings = _load_settings()
    try:
        configure_logging(settings, process="api")
    except InvalidError as error:
        _exit(_WRONG_SETTING, error.message)
    try:
        _serve(settings)
    finally:
        shutdown_logging()


def _serve(settings: ApiSettings) -> None:
    container = ApiContainer(settings=settings)
    try:
        app = create_app(settings, container)
    except InvalidError as error:
        _exit(_WRONG_SETTING, error.message)
    listener = _listen(settings)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,  # the tracking middleware logs requests
        server_header=False,
        lifespan="on",
        timeout_graceful_shutdown=int(settings.api_stop_timeout.total_seconds()),
    )
    server = _Server(config, on_exit=partial(_let_go, container))
    # uvicorn raises the signal again when it has stopped; the log still has to be written then.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with listener, suppress(KeyboardInterrupt):
        logger.info("The api listens", url=_url(listener), environment=str(settings.environment))
        server.run(sockets=[listener])
    if not server.started:
        sys.exit(_FAILED)


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
        return socket.create_server((host, port), family=family, backlog=2048)
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
