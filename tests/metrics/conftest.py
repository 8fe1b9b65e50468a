"""An api and a worker that can be looked at, and what their figures say."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from common.config import CommonSettings
from tests.fixtures.workers import running_worker
from worker.container import WorkerContainer
from worker.engine import Engine
from worker.lease import LeaseKeeper
from worker.status_server import StatusServer

type Sample = tuple[str, tuple[str, ...]]


@dataclass
class Figures:
    """One look: every sample by its name and the values of its labels, and the names of all families."""

    samples: dict[Sample, float] = field(default_factory=dict)
    families: set[str] = field(default_factory=set)

    @classmethod
    def read(cls, text: str) -> "Figures":
        found = cls()
        for family in text_string_to_metric_families(text):
            found.families.add(family.name)
            for sample in family.samples:
                labels = tuple(value for _, value in sorted(sample.labels.items()))
                found.samples[(sample.name, labels)] = sample.value
        return found

    def __getitem__(self, sample: Sample) -> float:
        return self.samples[sample]


@dataclass
class WatchedWorker:
    """A worker with its probes."""

    engine: Engine
    container: WorkerContainer
    http: httpx2.AsyncClient
    url: str

    async def figures(self) -> Figures:
        """What /metrics says."""
        answer = await self.http.get("/metrics")
        assert answer.status_code == 200
        return Figures.read(answer.text)

    async def until(self, path: str, status: int) -> httpx2.Response:
        """The answer of a probe once it has this status."""
        async with asyncio.timeout(60):
            while True:
                answer = await self.http.get(path)
                if answer.status_code == status:
                    return answer
                await asyncio.sleep(0.05)


class _Spy:
    """Keeps the server that a worker starts, for its port."""

    def __init__(self) -> None:
        self.container: WorkerContainer | None = None
        self.server: StatusServer | None = None

    def __call__(self, container: WorkerContainer) -> None:
        self.container = container
        status = container.status()
        build: Callable[[LeaseKeeper], StatusServer | None] = status.server

        def kept(keeper: LeaseKeeper) -> StatusServer | None:
            self.server = build(keeper)
            return self.server

        status.server = kept  # type: ignore[method-assign]  # only to learn the port


@pytest.fixture
async def worker(settings: CommonSettings) -> AsyncIterator[WatchedWorker]:
    """Its loop counts as stuck after 0.5 s."""
    spy = _Spy()
    async with running_worker(settings, spy, worker_http_port=0, worker_max_loop_lag=0.5) as engine:
        assert spy.container is not None
        assert spy.server is not None
        url = f"http://127.0.0.1:{spy.server.port}"
        async with httpx2.AsyncClient(base_url=url, trust_env=False, timeout=60) as http:
            yield WatchedWorker(engine, spy.container, http, url)
