"""One attempt at one turn: go on where an earlier attempt was, stream, keep the limits."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.runnables import RunnableConfig
from langgraph.errors import GraphRecursionError
from langgraph.types import Command, Interrupt
from pydantic import ValidationError

from common.agents import AgentAnswer, AgentInterrupt, AgentRequest, Citation
from common.errors import PermanentError
from worker.agent.checkpoint.store import FENCE
from worker.agent.flow import FlowContext
from worker.agent.flows import OpenFlow
from worker.agent.scribe import Scribe

_INTERRUPT = "__interrupt__"
_ANSWERING = "answering"


class Turn:
    """What `Agents.run` does once it has the thread."""

    def __init__(
        self, opened: OpenFlow, request: AgentRequest, context: FlowContext, scribe: Scribe, thread: str, fence: int
    ) -> None:
        self._opened = opened
        self._request = request
        self._context = context
        self._scribe = scribe
        self._has_spoken = False
        self._config: RunnableConfig = {
            "configurable": {"thread_id": thread, FENCE: fence},
            "metadata": {"run_id": context.run_id},
            # A step more than allowed is where langgraph gives up.
            "recursion_limit": request.limits.max_steps,
        }

    async def run(self) -> AgentAnswer:
        """See `Agents.run`."""
        seconds = self._request.limits.max_seconds
        scope = asyncio.timeout(seconds)
        try:
            async with scope:
                found = await self._stream(await self._begin())
        except GraphRecursionError:
            limit = self._request.limits.max_steps
            raise PermanentError(f"the run wanted more than {limit} steps (max_steps)") from None
        except TimeoutError:
            if not scope.expired():
                raise
            raise PermanentError(f"the run took more than {seconds:g} s (max_seconds)") from None
        return self._answer(found)

    async def _begin(self) -> Any:
        """The input of the graph; None to go on from the newest checkpoint, which is this run's own."""
        latest = await self._opened.store.saver.aget_tuple(self._config)
        if latest is not None and latest.metadata.get("run_id") == self._context.run_id:
            return None
        if not self._request.is_resume:
            return self._opened.flow.begin(self._request.input or "", self._context.run_id)
        if latest is None:
            raise PermanentError("there is nothing to resume")
        waits = any(channel == _INTERRUPT for _, channel, _ in latest.pending_writes or ())
        return Command(resume=self._request.resume) if waits else None

    async def _stream(self, start: Any) -> AgentInterrupt | None:
        """Run the graph to its end or to an interrupt."""
        found: AgentInterrupt | None = None
        modes: list[Any] = ["checkpoints", "updates", "messages", "custom"]
        stream: AsyncIterator[Any] = self._opened.graph.astream(
            start,
            self._config,
            context=self._context,
            stream_mode=modes,
            durability="sync",
            interrupt_before=list(self._request.pause_before) or None,
        )
        async for mode, data in stream:
            match mode:
                case "checkpoints":
                    await self._scribe.step(data)
                case "messages":
                    await self._token(*data)
                case "custom":
                    await self._scribe.custom(data)
                case "updates" if _INTERRUPT in data:
                    found = self._interrupt(data[_INTERRUPT])
                case "updates":
                    for node, update in data.items():
                        await self._update(node, update)
        if found is not None:
            await self._scribe.stopped(found)
        return found

    async def _update(self, node: str, update: Any) -> None:
        self._context.budget.take_step()
        answer = update.get("answer") if isinstance(update, dict) else None
        if answer and not self._has_spoken:
            # Whoever listens hears every answer, also one that no model wrote.
            await self._scribe.token(answer)
        self._has_spoken = False
        await self._scribe.update(node, self._context.budget.steps, update)

    async def _token(self, message: BaseMessage, metadata: dict[str, Any]) -> None:
        if isinstance(message, AIMessageChunk) and message.text and _ANSWERING in (metadata.get("tags") or ()):
            self._has_spoken = True
            await self._scribe.token(message.text)

    def _interrupt(self, interrupts: tuple[Interrupt, ...]) -> AgentInterrupt:
        node = self._scribe.waiting[0] if self._scribe.waiting else ""
        if not interrupts:
            return AgentInterrupt(id=f"{self._context.run_id}:{node}", node=node, expects="nothing")
        first = interrupts[0]
        value = first.value if isinstance(first.value, dict) else {"details": {"value": first.value}}
        try:
            return AgentInterrupt.model_validate({"expects": "value", **value, "id": first.id, "node": node})
        except ValidationError:
            return AgentInterrupt(id=first.id, node=node, expects="value", details={"value": str(first.value)})

    def _answer(self, found: AgentInterrupt | None) -> AgentAnswer:
        values, budget = self._scribe.values, self._context.budget
        return AgentAnswer(
            flow=self._opened.name,
            answer=values.get("answer"),
            citations=[Citation.model_validate(each) for each in values.get("citations") or ()],
            steps=budget.steps,
            tool_calls=budget.tool_calls,
            usage=budget.usage,
            cost=budget.cost,
            interrupt=found,
        )
