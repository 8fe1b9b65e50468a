"""What one api process can push over Socket.IO, how soon, and what a connection and a token cost."""

import asyncio
import resource
import sys
from abc import abstractmethod
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import socketio  # type: ignore[import-untyped]

from common.config import CommonSettings
from common.container import CommonContainer
from common.database.model import Job
from common.events import NewEvent
from common.jobs.system_echo import SystemEchoPayload, system_echo
from common.repository.job import Owner
from common.repository.user import DEFAULT_TENANT_ID, SERVICE_USER
from tests.benchmark.cases.base import Case, Figure, Figures, percentile, until
from tests.benchmark.cases.http import answers, free_port
from tests.benchmark.peers.base import Peer
from tests.benchmark.process import WorkerProcess
from tests.benchmark.push_client import PushClients
from tests.benchmark.work import now

_TOKEN = "the-token-of-the-benchmark"
_SECRET = "a-secret-of-the-benchmark-of-more-than-32-bytes"
_MANY = "100000"
_LIMITS = {
    "MAX_USER_CLIENTS": _MANY,
    "MAX_ADDRESS_CLIENTS": _MANY,
    "MAX_ADDRESS_HANDSHAKES": _MANY,
    "RATE_LIMIT_PER_ADDRESS": "0",
    "RATE_LIMIT_PER_USER": "0",
}
_MARK = "at="
_WANTED_FILES, _OTHER_FILES = 11_000, 500


@dataclass
class Stage:
    """A running api, its clients, and the other side: what a worker does to the logs."""

    api: WorkerProcess
    clients: PushClients
    container: CommonContainer
    delays: list[float] = field(default_factory=list)

    async def jobs(self, count: int) -> Sequence[Job]:
        """Rows of the service's user."""
        owner, payload = Owner(DEFAULT_TENANT_ID, SERVICE_USER.id), SystemEchoPayload(message="hello")
        queue = self.container.queue()
        return [await queue.submit(system_echo, payload, owner=owner) for _ in range(count)]

    async def append(self, jobs: Sequence[Job]) -> None:
        """One piece of text for each of these jobs, in one call as a worker's writer makes it."""
        await self.container.events().append([_delta(job) for job in jobs])

    def heard(self, packet: str) -> None:
        """Keep how long a packet took."""
        place = packet.find(_MARK)
        if place >= 0:
            self.delays.append(now() - float(packet[place + len(_MARK) : packet.index(";", place)]))

    async def until_heard(self, count: int) -> float:
        """The time when so many packets were there."""

        async def enough() -> bool:
            return len(self.delays) >= count

        return await until(enough, self.api, every=0.005)


class Push(Case):
    """One api process as in production, clients on websockets in the measuring process."""

    engines = ("letuin",)
    time_limit = 180.0

    async def run(self, peer: Peer) -> Figures:
        async with _stage(peer) as stage:
            return await self.measure(stage)

    @abstractmethod
    async def measure(self, stage: Stage) -> Figures:
        """The figures of a fresh api."""


class PushRoom(Push):
    """Events as fast as they go; every client hears all of them."""

    name = "push-room"
    title = "One job, 100 clients"
    figures = (
        Figure("deliveries", "per s", is_main=True, more_is_better=True),
        Figure("api CPU", "µs/delivery"),
        Figure("bare emit", "per s", more_is_better=True),
        Figure("api CPU, bare", "µs/delivery"),
        Figure("lost", "events"),
    )

    async def measure(self, stage: Stage) -> Figures:
        count, events = 100, self.scaled(500)
        [job] = await stage.jobs(1)
        await stage.clients.connect(count)
        for index in range(count):
            await stage.clients.subscribe(index, job.id)
        stage.clients.listen(stage.heard)
        ours, cpu = await self._timed(stage, events * count, self._through_log(stage, job, events))
        bare, bare_cpu = await self._timed(stage, events * count, self._bare(stage, events))
        return {
            "deliveries": ours,
            "api CPU": cpu,
            "bare emit": bare,
            "api CPU, bare": bare_cpu,
            "lost": 0.0,  # waiting for all of them is how the time was taken
        }

    async def _timed(self, stage: Stage, expected: int, sending: AsyncIterator[None]) -> tuple[float, float]:
        stage.delays.clear()
        cpu, started = stage.api.cpu_seconds(), now()
        async for _ in sending:
            pass
        seconds = await stage.until_heard(expected) - started
        return expected / seconds, (stage.api.cpu_seconds() - cpu) / expected * 1e6

    async def _through_log(self, stage: Stage, job: Job, events: int) -> AsyncIterator[None]:
        for start in range(0, events, 10):
            await stage.append([job] * min(10, events - start))
            yield

    async def _bare(self, stage: Stage, events: int) -> AsyncIterator[None]:
        """The library by itself: a write-only manager in this process, the room of the user."""
        settings = stage.container.settings()
        channel = stage.container.keys().socketio_channel
        manager = socketio.AsyncRedisManager(settings.redis_url.get_secret_value(), channel=channel, write_only=True)
        for _ in range(events):
            text = f"{_MARK}{now()};"
            await manager.emit("notice", {"text": text}, room=f"user:{SERVICE_USER.id}")
            yield
        await manager.redis.aclose()


class PushCrowd(Push):
    """Each client follows a job of its own."""

    name = "push-crowd"
    title = "500 clients, 20 events a second each"
    clients, rate = 500, 20
    figures = (
        Figure("delay p99", "ms", is_main=True),
        Figure("delay p50", "ms"),
        Figure("lost", "events"),
        Figure("api CPU", "%"),
    )

    async def measure(self, stage: Stage) -> Figures:
        count, seconds = self.scaled(self.clients), max(5 * self.scale, 2)
        jobs = await stage.jobs(count)
        await stage.clients.connect(count)
        for index, job in enumerate(jobs):
            await stage.clients.subscribe(index, job.id)
        stage.clients.listen(stage.heard)
        rounds, begun, cpu = int(seconds * self.rate), now(), stage.api.cpu_seconds()
        parts = 10
        for number in range(rounds * parts):
            # Not all at the same instant: as from many workers.
            await asyncio.sleep(max(0.0, begun + number / (self.rate * parts) - now()))
            await stage.append(jobs[number % parts :: parts])
        took = now() - begun
        cpu = stage.api.cpu_seconds() - cpu
        await stage.until_heard(rounds * count)
        return {
            "delay p99": percentile(stage.delays, 0.99) * 1e3,
            "delay p50": percentile(stage.delays, 0.5) * 1e3,
            "lost": float(rounds * count - len(stage.delays)),
            "api CPU": cpu / took * 100,
        }


class PushTokens(PushCrowd):
    """The pace of language models; a worker would send these as 20 larger pieces a second."""

    name = "push-tokens"
    title = "200 streams of 50 tokens a second"
    clients, rate = 200, 50


class PushIdle(Push):
    """Connected, signed in, hearing their user's updates, and silent."""

    name = "push-idle"
    title = "10,000 idle connections"
    figures = (
        Figure("memory", "KB/client", is_main=True),
        Figure("clients", "", more_is_better=True),
        Figure("connected", "per s", more_is_better=True),
        Figure("api CPU, idle", "%"),
    )

    async def measure(self, stage: Stage) -> Figures:
        count = min(self.scaled(10_000), resource.getrlimit(resource.RLIMIT_NOFILE)[0] - _OTHER_FILES)
        await stage.clients.connect(20)
        before, begun = stage.api.memory_mb(), now()
        await stage.clients.connect(count)
        took = now() - begun
        stage.clients.listen(stage.heard)
        after, cpu = stage.api.memory_mb(), stage.api.cpu_seconds()
        await asyncio.sleep(3)
        return {
            "memory": (after - before) * 1024 / count,
            "clients": float(count),
            "connected": count / took,
            "api CPU, idle": (stage.api.cpu_seconds() - cpu) / 3 * 100,
        }


PUSH_CASES: tuple[type[Case], ...] = (PushRoom, PushCrowd, PushTokens, PushIdle)


@asynccontextmanager
async def _stage(peer: Peer) -> AsyncIterator[Stage]:
    _allow_many_files()
    port = free_port()
    environment = {**peer.servers.environment(), "ENVIRONMENT": "production", "API_PORT": str(port), **_LIMITS}
    environment |= {"ACCESS_TOKEN": _TOKEN, "JWT_SECRET": _SECRET, "LOG_LEVEL": "INFO"}
    values = {"environment": "staging", "database_url": peer.servers.database_url, "redis_url": peer.servers.redis_url}
    container = CommonContainer(settings=CommonSettings.model_validate(values))
    command = [sys.executable, "-m", "tests.benchmark.letuin_api"]
    async with WorkerProcess(command, environment, peer.servers.folder) as api:
        await until(lambda: answers(port), api, every=0.1)
        async with PushClients(port, _TOKEN) as clients:
            yield Stage(api, clients, container)
    await container.redis().aclose()
    await container.direct().close()
    await container.engine().dispose()


def _allow_many_files() -> None:
    """As many as may be; root may have more than that. The api inherits the limit."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most not in (resource.RLIM_INFINITY, -1) and most < _WANTED_FILES:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (_WANTED_FILES, _WANTED_FILES))
            return
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _delta(job: Job) -> NewEvent:
    return NewEvent(job.id, job.owner_id, "llm.delta", 1, {"text": f"{_MARK}{now()};"})
