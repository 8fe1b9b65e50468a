"""The port of the agents, built at first use: langgraph costs a worker two seconds and 60 MB."""

import asyncio
import importlib
from functools import partial
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from common.agents import AgentAnswer, AgentListener, AgentRequest, AgentsCleaned
from common.database.direct import DirectPool
from common.database.session import Sessions
from common.ports import CallOrigin, ChatModel, Journal, Retriever
from common.repository.thread_run import ThreadRunRepository
from worker.config import WorkerSettings

if TYPE_CHECKING:
    from worker.agent.agents import AgentService


class AgentPorts(Protocol):
    """The ports of an attempt that its flow works with."""

    @property
    def chat(self) -> ChatModel: ...

    @property
    def retriever(self) -> Retriever: ...

    @property
    def journal(self) -> Journal: ...


class LazyAgents:
    """The `AgentService`, imported and built, in a thread, when the first run comes."""

    def __init__(self, settings: WorkerSettings, sessions: Sessions, direct: DirectPool) -> None:
        self._build = partial(_build_agents, settings, sessions, direct, ThreadRunRepository())
        self._service: AgentService | None = None
        self._building = asyncio.Lock()

    def bind(self, origin: CallOrigin, ports: AgentPorts) -> "BoundAgents":
        """The agents of one attempt."""
        return BoundAgents(self, origin, ports)

    async def get(self) -> "AgentService":
        """The one service of this process."""
        async with self._building:
            if self._service is None:
                self._service = await asyncio.to_thread(self._build)
        return self._service

    async def aclose(self) -> None:
        """Close the service if it was ever built."""
        if self._service is not None:
            await self._service.aclose()


class BoundAgents:
    """The agents of one attempt, working with the ports of that attempt. Implements `common.ports.Agents`."""

    def __init__(self, agents: LazyAgents, origin: CallOrigin, ports: AgentPorts) -> None:
        self._agents = agents
        self._origin = origin
        self._ports = ports

    async def run(self, request: AgentRequest, listener: AgentListener) -> AgentAnswer:
        """See `Agents.run`."""
        return await (await self._agents.get()).run(request, listener, self._origin, self._ports)

    async def fork(self, source_id: UUID, checkpoint_id: UUID, thread_id: UUID) -> None:
        """See `Agents.fork`."""
        await (await self._agents.get()).fork(source_id, checkpoint_id, thread_id, self._origin)

    async def forget(self, thread_id: UUID, flow: str) -> None:
        """See `Agents.forget`."""
        await (await self._agents.get()).forget(thread_id, flow)

    async def clean(self, *, expire: bool) -> AgentsCleaned:
        """See `Agents.clean`."""
        return await (await self._agents.get()).clean(expire=expire)


def _build_agents(*parts: object) -> "AgentService":
    service: AgentService = importlib.import_module("worker.agent.agents").AgentService(*parts)
    return service
