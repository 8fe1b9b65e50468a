"""Opens what a worker built, keeps its background loops running, and closes everything in reverse order."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from loguru import logger

from common.ids import new_id
from common.lock import configure_redis_lock
from common.queue.definition import QueueName
from worker.config import WorkerSettings
from worker.container import WorkerContainer
from worker.engine import Engine
from worker.lease import LeaseKeeper
from worker.llm.call_log import written


@asynccontextmanager
async def lifespan(settings: WorkerSettings, container: WorkerContainer | None = None) -> AsyncIterator[Engine]:
    """A worker that is registered and may claim; after the block its lease and connections are given back."""
    container = container or WorkerContainer(settings=settings)
    engine: Engine = container.engine_worker()
    configure_redis_lock(container.redis())
    keeper = LeaseKeeper(
        settings,
        container.workers(),
        worker_id=settings.letuin_worker_id or new_id(),
        queues=settings.worker_queues,
        concurrency=settings.worker_concurrency,
        on_beat=engine.on_beat,
        on_lost=engine.on_lost,
        metrics=container.worker_metrics(),
    )
    engine.lease = keeper
    async with AsyncExitStack() as stack:
        stack.push_async_callback(_close_tracer, container)
        await stack.enter_async_context(written(container.llm_call_writer()))
        stack.push_async_callback(container.engine().dispose)
        stack.push_async_callback(container.direct().close)
        stack.push_async_callback(container.redis().aclose)
        stack.push_async_callback(container.listener_redis().aclose)
        stack.push_async_callback(container.ports().aclose)
        stack.push_async_callback(keeper.stop)
        stack.push_async_callback(_close_events, container)
        _start_status(stack, container, keeper)
        await keeper.start()
        loops = {
            "loop lag": container.loop_lag().run(),
            "signals": container.signals().run(lambda: keeper.worker_id),
            "canary": container.signals().canary.run(),
            "leader": container.leader().run(),
            "reconciler": container.reconciler().run(keeper, container.leader()),
            "scheduler": container.scheduler().run(keeper, container.leader()),
            "watch": engine.watch(),
            "report": engine.report(),
            "webhooks": container.webhook_dispatcher().run(),
            "agents": container.agent_upkeep().run(),
            "documents": container.document_upkeep().run(container.leader()),
        }
        for name, loop in loops.items():
            _start_loop(stack, name, loop)
        if QueueName.LLM in settings.worker_queues and settings.warm_up:
            _start_loop(stack, "warm-up", container.ports().warm_up())
        yield engine


def _start_status(stack: AsyncExitStack, container: WorkerContainer, keeper: LeaseKeeper) -> None:
    """Before the lease: who waits for PostgreSQL is alive, and not ready."""
    container.status().show()
    server = container.status().server(keeper)
    if server is not None:
        server.start()
        stack.push_async_callback(asyncio.to_thread, server.stop)


async def _close_tracer(container: WorkerContainer) -> None:
    if (tracer := container.tracer()) is not None:
        await asyncio.to_thread(tracer.close)


async def _close_events(container: WorkerContainer) -> None:
    writer = container.event_writer()
    await writer.drain(2)
    await writer.close()


def _start_loop(stack: AsyncExitStack, name: str, loop: Coroutine[Any, Any, None]) -> None:
    task = asyncio.create_task(loop, name=name)
    task.add_done_callback(_log_death)
    stack.push_async_callback(_stop_loop, task)


def _log_death(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.opt(exception=error).critical("A loop of the worker ended: loop={}", task.get_name())


async def _stop_loop(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])
