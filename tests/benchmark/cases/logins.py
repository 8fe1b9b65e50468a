"""What a flood of logins leaves of the api for everybody else."""

import asyncio
import sys
from collections import Counter
from typing import Any

from common.config import CommonSettings
from common.container import CommonContainer
from common.ids import new_id
from common.passwords import hash_password
from common.repository.user import DEFAULT_TENANT_ID, NewUser, UserRepository
from tests.benchmark.cases.base import Case, Figure, Figures, percentile, until
from tests.benchmark.cases.http import SECRET, TOKEN, answers, free_port
from tests.benchmark.http_client import Connection, Request
from tests.benchmark.peers.base import Peer
from tests.benchmark.process import WorkerProcess
from tests.benchmark.servers import Servers
from tests.benchmark.work import now

_LOGIN = Request(
    "POST", "/api/v1/auth/login", 200, b'{"email": "ada@example.com", "password": "correct horse battery"}'
)
_HEALTH = Request("GET", "/health", 200)
# So that nothing but the queue of logins refuses any.
_UNBOUND = {"LOGIN_ACCOUNT_FAILURES": "1000", "LOGIN_ADDRESS_FAILURES": "1000", "RATE_LIMIT_PER_ADDRESS": "0"}


class Logins(Case):
    """Two hundred logins at once with the right password, over and over, and `/health` every 5 ms beside them."""

    name = "logins"
    title = "200 logins at once, one api process"
    figures = (
        Figure("health p99", "ms", is_main=True),
        Figure("health p50", "ms"),
        Figure("health alone p99", "ms"),
        Figure("logins", "/s", more_is_better=True),
        Figure("turned away", "%"),
    )
    engines = ("letuin",)

    async def run(self, peer: Peer) -> Figures:
        await _make_user(peer.servers)
        port = free_port()
        environment = {**peer.servers.environment(), "ENVIRONMENT": "production", "API_PORT": str(port)}
        environment |= {"ACCESS_TOKEN": TOKEN, "JWT_SECRET": SECRET, "LOG_LEVEL": "INFO", **_UNBOUND}
        async with WorkerProcess([sys.executable, "-m", "api.main"], environment, peer.servers.folder) as api:
            await until(lambda: answers(port), api, every=0.1)
            alone = await _watch_health(port, asyncio.create_task(asyncio.sleep(2)))
            started, statuses, health = now(), Counter[int](), list[float]()
            for _ in range(self.scaled(3, 1)):
                flood = asyncio.gather(*(_login(port) for _ in range(200)))
                health += await _watch_health(port, flood)
                statuses.update(flood.result())
            seconds = now() - started
        return {
            "health p99": percentile(health, 0.99) * 1e3,
            "health p50": percentile(health, 0.5) * 1e3,
            "health alone p99": percentile(alone, 0.99) * 1e3,
            "logins": statuses[200] / seconds,
            "turned away": statuses[503] / statuses.total() * 100,
        }


async def _make_user(servers: Servers) -> None:
    settings = CommonSettings.model_validate(
        {"environment": "staging", "database_url": servers.database_url, "redis_url": servers.redis_url}
    )
    container, users = CommonContainer(settings=settings), UserRepository()
    user = NewUser(new_id(), DEFAULT_TENANT_ID, "ada@example.com", hash_password("correct horse battery"))
    async with container.sessions().begin() as db:
        await users.ensure_default_tenant(db)
        await users.create(db, user)
    await container.engine().dispose()


async def _login(port: int) -> int:
    async with await Connection.open(port) as connection:
        return await connection.send(_LOGIN.encoded({}))


async def _watch_health(port: int, until_done: "asyncio.Future[Any]") -> list[float]:
    """How long each look took. Raises `RuntimeError` when one found something unhealthy."""
    seconds = []
    async with await Connection.open(port) as connection:
        while not until_done.done():
            started = now()
            if (status := await connection.send(_HEALTH.encoded({}))) != _HEALTH.expected:
                raise RuntimeError(f"/health answered {status}")
            seconds.append(now() - started)
            await asyncio.sleep(0.005)
    return seconds
