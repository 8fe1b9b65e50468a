"""Finds flows, and holds what each of them needs once a process: its compiled graph and its checkpoints."""

import asyncio
import importlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langgraph.graph.state import CompiledStateGraph

from common.errors import PermanentError
from worker import agent
from worker.agent.checkpoint.sqlite import SqliteStore
from worker.agent.checkpoint.store import CheckpointStore
from worker.agent.flow import Flow, FlowContext
from worker.config import CheckpointBackend, WorkerSettings

type OpenStore = Callable[[str], Awaitable[CheckpointStore]]


@dataclass(frozen=True, slots=True)
class OpenFlow:
    """A flow that is ready to run."""

    name: str
    flow: Flow
    graph: CompiledStateGraph[Any, FlowContext, Any, Any]
    store: CheckpointStore


def flow_names() -> list[str]:
    """The folders of `worker.agent` that hold a graph orchestrator."""
    found = (path for root in agent.__path__ for path in Path(root).glob("*/graph_orchestrator.py"))
    return sorted({path.parent.name for path in found})


class Flows:
    """Opens each flow when it is first asked for."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._open: dict[str, OpenFlow] = {}
        self._opening = asyncio.Lock()

    async def get(self, name: str) -> OpenFlow:
        """The flow of this name. Raises `PermanentError` that lists the known ones."""
        async with self._opening:
            if name not in self._open:
                if name not in (known := flow_names()):
                    raise PermanentError(f"there is no flow {name[:64]!r}; the flows are {', '.join(known)}")
                self._open[name] = await self._make(name)
        return self._open[name]

    async def aclose(self) -> None:
        """Close the checkpoints of every flow."""
        opened, self._open = self._open, {}
        for flow in opened.values():
            await flow.store.aclose()

    async def _make(self, name: str) -> OpenFlow:
        module = importlib.import_module(f"{agent.__name__}.{name}.graph_orchestrator")
        flow: Flow = module.GraphOrchestrator()
        store = await open_store(self._settings, name)
        graph = flow.graph().compile(checkpointer=store.saver, name=name)
        return OpenFlow(name, flow, graph, store)


async def open_store(settings: WorkerSettings, flow: str) -> CheckpointStore:
    """The checkpoints of a flow, where AGENT_CHECKPOINTS says. Raises `PermanentError` without its extra."""
    if settings.agent_checkpoints is CheckpointBackend.SQLITE:
        return await SqliteStore.open(settings.data_dir / "sqlite-data" / flow / "sqlite.db")
    try:
        # By name: psycopg is there with the extra `scale-out` only.
        postgres = importlib.import_module("worker.agent.checkpoint.postgres")
    except ImportError as error:
        raise PermanentError("AGENT_CHECKPOINTS=postgres needs the extra scale-out") from error
    store: CheckpointStore = await postgres.PostgresStore.open(settings.database_url.get_secret_value(), flow)
    return store
