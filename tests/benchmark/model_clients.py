"""A provider, a worker that asks it, and somebody who submits jobs and hears of them as api processes do."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

import aiohttp
from pydantic import BaseModel
from redis.asyncio.client import PubSub

from common.config import CommonSettings
from common.container import CommonContainer
from common.events import Event, is_terminal, parse_batch
from common.ids import new_id
from common.queue.definition import AnyJobKind
from common.repository.job import Owner
from tests.benchmark.process import WorkerProcess
from tests.benchmark.servers import Servers
from tests.benchmark.work import now


@dataclass
class Models:
    """`heard` keeps when each event came; `ends` what each job ended with."""

    provider: str
    worker: WorkerProcess
    container: CommonContainer
    owner: Owner = field(default_factory=lambda: Owner(new_id(), new_id()))
    ends: dict[UUID, asyncio.Future[Event]] = field(default_factory=dict)
    heard: list[tuple[float, Event]] = field(default_factory=list)

    async def submit(self, kind: AnyJobKind, payload: BaseModel) -> UUID:
        """One job, as the api submits it."""
        job = await self.container.queue().submit(kind, payload, owner=self.owner)
        return job.id

    async def end_of(self, job_id: UUID) -> Event:
        """What it ended with. Raises `RuntimeError` when it did not succeed."""
        event = await self._end(job_id)
        if event.type != "job.succeeded":
            raise RuntimeError(f"{event.type}: {json.dumps(event.data)[:500]}")
        return event

    async def requests(self) -> int:
        """How many requests the provider has seen."""
        async with aiohttp.ClientSession() as session, session.get(f"{self.provider}/_verdict") as answer:
            return int((await answer.json())["requests"])

    async def listen(self, pubsub: PubSub) -> None:
        """Hear every event until cancelled."""
        async for message in pubsub.listen():
            for event in parse_batch(message["data"]):
                self.heard.append((now(), event))
                if is_terminal(event.type) and not (end := self._end(event.job_id)).done():
                    end.set_result(event)

    def _end(self, job_id: UUID) -> asyncio.Future[Event]:
        return self.ends.setdefault(job_id, asyncio.get_running_loop().create_future())


@asynccontextmanager
async def running_models(servers: Servers, command: Sequence[str], *provider_flags: str) -> AsyncIterator[Models]:
    """All three, on the benchmark's servers. The provider answers as its flags say."""
    settings = CommonSettings.model_validate(
        {"environment": "staging", "database_url": servers.database_url, "redis_url": servers.redis_url}
    )
    container = CommonContainer(settings=settings)
    async with AsyncExitStack() as stack:
        for close in (container.engine().dispose, container.direct().close, container.redis().aclose):
            stack.push_async_callback(close)
        url = await stack.enter_async_context(_provider(provider_flags))
        environment = {
            **servers.environment(),
            "OPENAI_BASE_URL": f"{url}/v1",
            "OPENAI_API_KEY": "bench",
            "DEFAULT_MODEL": "gpt-4o-mini",
        }
        await container.redis().set(container.keys().broker_epoch, "benchmark", nx=True)
        worker = await stack.enter_async_context(WorkerProcess(command, environment, servers.folder))
        models = Models(url, worker, container)
        pubsub = await stack.enter_async_context(container.listener_redis().pubsub())
        await pubsub.subscribe(container.keys().event_channel)
        await pubsub.get_message(timeout=5)
        listening = asyncio.create_task(models.listen(pubsub))
        try:
            yield models
        finally:
            listening.cancel()
            await asyncio.wait([listening])


@asynccontextmanager
async def _provider(flags: Sequence[str]) -> AsyncIterator[str]:
    command = [sys.executable, "-m", "tests.fixtures.provider", *flags]
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield (await process.stdout.readline()).decode().strip().removesuffix("/v1")
    finally:
        process.stdin.close()
        await process.wait()
