"""What accepting a job costs over HTTP, beside an endpoint of the same process that does nothing."""

import asyncio
import socket
import sys
from collections import defaultdict
from time import process_time

from tests.benchmark.cases.base import Case, Figure, Figures, until
from tests.benchmark.http_client import Connection, Request
from tests.benchmark.peers.base import Peer
from tests.benchmark.process import WorkerProcess
from tests.benchmark.work import now

TOKEN = "the-token-of-the-benchmark"
SECRET = "a-secret-of-the-benchmark-of-more-than-32-bytes"
_HEADERS = {"Authorization": f"Bearer {TOKEN}"}
_JOB = b'{"kind": "system.echo", "payload": {"message": "hello"}}'
_REQUESTS = {
    "submit": Request("POST", "/api/v1/jobs", 202, _JOB),
    "empty": Request("POST", "/api/v1/nothing", 200),
    "live": Request("GET", "/live", 200),
}
_TURNS = 5


class Http(Case):
    """`POST /api/v1/jobs`, an authenticated POST that does nothing, and `GET /live`, in turns.

    The api runs as in production: token checked by the middleware, a JSON line logged for each request.
    """

    name = "http"
    title = "Submit over HTTP, one api process, one connection"
    connections = 1
    count = 300
    figures = (
        Figure("submit", "req/s", is_main=True, more_is_better=True),
        Figure("empty", "req/s", more_is_better=True),
        Figure("share", "%", more_is_better=True),
        Figure("live", "req/s", more_is_better=True),
        Figure("share of live", "%", more_is_better=True),
        Figure("api CPU", "µs/submit"),
        Figure("api CPU, empty", "µs/request"),
        Figure("client CPU", "%"),
    )
    engines = ("letuin",)

    async def run(self, peer: Peer) -> Figures:
        port = free_port()
        environment = {**peer.servers.environment(), "ENVIRONMENT": "production", "API_PORT": str(port)}
        environment |= {"ACCESS_TOKEN": TOKEN, "JWT_SECRET": SECRET, "LOG_LEVEL": "INFO"}
        command = [sys.executable, "-m", "tests.benchmark.letuin_api"]
        async with WorkerProcess(command, environment, peer.servers.folder) as api:
            await until(lambda: answers(port), api, every=0.1)
            return await self._measure(port, api)

    async def _measure(self, port: int, api: WorkerProcess) -> Figures:
        count = self.scaled(self.count, self.connections)
        seconds: dict[str, float] = defaultdict(float)
        cpu: dict[str, float] = defaultdict(float)
        for request in _REQUESTS.values():
            await _send(port, request, self.connections, count // 2)
        started, client = now(), process_time()
        for _ in range(_TURNS):
            for name, request in _REQUESTS.items():
                before = api.cpu_seconds()
                seconds[name] += await _send(port, request, self.connections, count)
                cpu[name] += api.cpu_seconds() - before
        client = (process_time() - client) / (now() - started)
        rates = {name: _TURNS * count / total for name, total in seconds.items()}
        return {
            **rates,
            "share": rates["submit"] / rates["empty"] * 100,
            "share of live": rates["submit"] / rates["live"] * 100,
            "api CPU": cpu["submit"] / count / _TURNS * 1e6,
            "api CPU, empty": cpu["empty"] / count / _TURNS * 1e6,
            "client CPU": client * 100,
        }


class Http32(Http):
    """The same on 32 connections."""

    name = "http-32"
    title = "Submit over HTTP, one api process, 32 connections"
    connections = 32
    count = 1_600


class Http64(Http):
    """The same on 64 connections."""

    name = "http-64"
    title = "Submit over HTTP, one api process, 64 connections"
    connections = 64
    count = 1_600


async def _send(port: int, request: Request, connections: int, count: int) -> float:
    """Seconds that `count` requests take over so many connections. Raises `RuntimeError` for another answer."""
    encoded, left = request.encoded(_HEADERS), iter(range(count))

    async def client(connection: Connection) -> None:
        for _ in left:
            if (status := await connection.send(encoded)) != request.expected:
                raise RuntimeError(f"{request.method} {request.path} answered {status} instead of {request.expected}")

    opened = [await Connection.open(port) for _ in range(connections)]
    started = now()
    await asyncio.gather(*(client(connection) for connection in opened))
    seconds = now() - started
    for connection in opened:
        async with connection:
            pass
    return seconds


async def answers(port: int) -> bool:
    """Whether the api on this port is ready."""
    try:
        async with await Connection.open(port) as connection:
            return await connection.send(Request("GET", "/ready", 200).encoded({})) == 200
    except OSError:
        return False


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
