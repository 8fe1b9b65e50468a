"""What accepting a job costs over HTTP, beside an endpoint of the same process that does nothing."""

import asyncio
import socket
import sys

from tests.benchmark.cases.base import Case, Figure, Figures, until
from tests.benchmark.http_client import Connection
from tests.benchmark.peers.base import Peer
from tests.benchmark.process import WorkerProcess
from tests.benchmark.work import now

_JOB = b'{"kind": "system.echo", "payload": {"message": "hello"}}'
_EMPTY = ("GET", "/live", b"", 200)
_SUBMIT = ("POST", "/api/v1/jobs", _JOB, 202)
_MANY = 32

type Request = tuple[str, str, bytes, int]


class Http(Case):
    """`POST /api/v1/jobs` and `GET /live` in turns, on one connection and on 32."""

    name = "http"
    title = "Submit over HTTP, one api process"
    figures = (
        Figure("submit", "req/s", is_main=True, more_is_better=True),
        Figure("empty", "req/s", more_is_better=True),
        Figure("share", "%", more_is_better=True),
        Figure(f"submit x{_MANY}", "req/s", more_is_better=True),
        Figure(f"empty x{_MANY}", "req/s", more_is_better=True),
        Figure(f"share x{_MANY}", "%", more_is_better=True),
    )
    engines = ("letuin",)

    async def run(self, peer: Peer) -> Figures:
        port = _free_port()
        environment = {**peer.servers.environment(), "ENVIRONMENT": "test", "API_PORT": str(port)}
        environment |= {"LOG_LEVEL": "INFO", "DATA_DIR": str(peer.servers.folder)}
        async with WorkerProcess([sys.executable, "-m", "api.main"], environment, peer.servers.folder) as api:
            await until(lambda: _answers(port), api, every=0.1)
            found = {}
            for suffix, connections in (("", 1), (f" x{_MANY}", _MANY)):
                count = self.scaled(1_000 if connections == 1 else 4_000)
                for name, request in (("empty", _EMPTY), ("submit", _SUBMIT)):
                    await _rate(port, request, connections, count // 10)
                    found[name + suffix] = await _rate(port, request, connections, count)
                found[f"share{suffix}"] = found[f"submit{suffix}"] / found[f"empty{suffix}"] * 100
            return found


async def _rate(port: int, request: Request, connections: int, count: int) -> float:
    """Requests per second over so many connections."""
    method, path, body, expected = request
    left = iter(range(count))

    async def client() -> None:
        async with Connection(port) as connection:
            for _ in left:
                if (status := await connection.send(method, path, body)) != expected:
                    raise RuntimeError(f"{method} {path} answered {status} instead of {expected}")

    started = now()
    await asyncio.gather(*(client() for _ in range(connections)))
    return count / (now() - started)


async def _answers(port: int) -> bool:
    try:
        async with Connection(port) as connection:
            return await connection.send("GET", "/ready") == 200
    except OSError:
        return False


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
