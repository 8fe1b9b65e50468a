"""/live, /ready and /metrics of a worker, from threads of their own: they answer while the event loop is blocked."""

import json
import socket
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import ClassVar
from urllib.parse import urlsplit

from loguru import logger

from common.errors import InvalidError

_READ_SECONDS = 5
_STOP_SECONDS = 2.0

type Answer = tuple[int, bytes, str]
type Page = Callable[[str], Answer]


def json_answer(status: int, body: Mapping[str, object]) -> Answer:
    """Status, body and content type."""
    return status, json.dumps(body).encode(), "application/json"


class StatusServer:
    """Listens from `start` to `stop`. `pages` gets the Accept header, by path; anybody who reaches the port may ask."""

    def __init__(self, host: str, port: int, pages: Mapping[str, Page]) -> None:
        self._address = (host, port)
        self._pages = pages
        self._server: ThreadingHTTPServer | None = None
        self._thread: Thread | None = None

    @property
    def port(self) -> int:
        """Where it listens; 0 before `start`."""
        return 0 if self._server is None else int(self._server.server_address[1])

    def start(self) -> None:
        """Raises `InvalidError` naming the setting when the port cannot be had."""
        host, port = self._address

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

        class Handler(_Handler):
            pages = self._pages

        try:
            self._server = Server(self._address, Handler)
        except OSError as error:
            raise InvalidError(f"WORKER_HTTP_PORT: cannot listen on {host}:{port}: {error.strerror}") from error
        self._thread = Thread(target=self._server.serve_forever, name="status", daemon=True)
        self._thread.start()
        logger.info("The worker answers probes: host={} port={}", host, self.port)

    def stop(self) -> None:
        """Harmless when it was never started."""
        if self._server is None or self._thread is None:
            return
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(_STOP_SECONDS)


class _Handler(BaseHTTPRequestHandler):
    pages: ClassVar[Mapping[str, Page]] = {}
    timeout = _READ_SECONDS
    server_version = "letuin"
    sys_version = ""

    def do_GET(self) -> None:
        page = self.pages.get(urlsplit(self.path).path)
        if page is None:
            known = ", ".join(self.pages)
            self._send(json_answer(404, {"detail": f"there are only {known}"}))
            return
        self._send(page(self.headers.get("Accept", "")))

    def log_message(self, *_: object) -> None:
        """Probes come every few seconds; what they find is in the metrics."""

    def _send(self, answer: Answer) -> None:
        status, body, content_type = answer
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)
