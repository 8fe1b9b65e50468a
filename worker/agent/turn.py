"""One attempt at one turn: go on where an earlier attempt was, stream, keep the limits."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, cast

from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import CheckpointTuple
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
# langgraph counts from -1, and takes two steps to read what a run begins with.
_BEFORE_THE_FIRST = -2
_STEPS_OF_INPUT = 2


class Turn:
    """What `Agents.run` does once it has the thread."""

    def __init__(
        self,
        opened: OpenFlow,
        request: AgentRequest,
        context: FlowContext,
        scribe: Scribe,
        job: str,
        thread: str,
        fence: int,
    ) -> None:
        self._opened = opened
        self._request = request
        self._context = context
        self._scribe = scribe
        self._job = job
        self._has_spoken = False
        self._begun_step = 0
        self._config: RunnableConfig = {
            "configurable": {"thread_id": thread, FENCE: fence},
            "metadata": {},
            # For graphs within the graph; the run's own steps are counted over its attempts.
            "recursion_limit": request.limits.max_steps + 1,
        }

    async def run(self) -> AgentAnswer:
        """See `Agents.run`."""
        budget = self._context.budget
        scope = asyncio.timeout(budget.seconds_left())
        try:
            async with scope:
                found = await self._stream(await self._begin())
        except GraphRecursionError:
            raise budget.out_of_steps() from None
        except TimeoutError:
            if not scope.expired():
                raise
            raise budget.out_of_time() from None
        return self._answer(found)

    async def _begin(self) -> Any:
        """The input of the graph; None to go on from the newest checkpoint, which is this run's own."""
        latest = await self._opened.store.saver.aget_tuple(self._config)
        self._count_from(latest)
        if latest is not None and latest.metadata.get("run_id") == self._job:
            return None
        if not self._request.is_resume:
            return self._opened.flow.begin(self._request.input or "", self._context.run_id)
        if latest is None:
            raise PermanentError("there is nothing to resume")
        waits = any(channel == _INTERRUPT for _, channel, _ in latest.pending_writes or ())
        return Command(resume=self._request.resume) if waits else None

    def _count_from(self, latest: CheckpointTuple | None) -> None:
        """Which step the run began after: its checkpoints say so to its later attempts."""
        run = {"run_id": self._job, "round": self._context.budget.round}
        known: dict[str, Any] = dict(latest.metadata) if latest is not None else {"step": _BEFORE_THE_FIRST}
        if run.items() <= known.items():
            self._begun_step = known["begun_step"]
        elif self._request.is_resume or known.get("run_id") == run["run_id"]:
            self._begun_step = known["step"]
        else:
            self._begun_step = known["step"] + _STEPS_OF_INPUT
        self._config["metadata"] = {**run, "begun_step": self._begun_step}

    async def _stream(self, start: Any) -> AgentInterrupt | None:
        """Run the graph to its end or to an interrupt."""
        found: AgentInterrupt | None = None
        modes: list[Any] = ["checkpoints", "updates", "messages", "custom"]
        stream = self._opened.graph.astream(
            start,
            self._config,
            context=self._context,
            stream_mode=modes,
            durability="sync",
            interrupt_before=list(self._request.pause_before) or None,
        )
        # It is a generator, declared as less.
        async with aclosing(cast(AsyncGenerator[Any, None], stream)) as pieces:
            async for mode, data in pieces:
                if mode == "updates" and _INTERRUPT in data:
                    found = self._interrupt(data[_INTERRUPT])
                else:
                    await self._hear(mode, data)
        if found is not None:
            await self._scribe.stopped(found)
        return found

    async def _hear(self, mode: str, data: Any) -> None:
        match mode:
            case "checkpoints":
                await self._scribe.step(data)
                done = max(data["metadata"]["step"] - self._begun_step, 0)
                self._context.budget.take_steps(done, wants_more=bool(data["next"]))
            case "messages":
                await self._token(*data)
            case "custom":
                await self._scribe.custom(data)
            case _:
                for node, update in data.items():
                    await self._update(node, update)

    async def _update(self, node: str, update: Any) -> None:
        answer = update.get("answer") if isinstance(update, dict) else None
        if answer and not self._has_spoken:
            # Whoever listens hears every answer, also one that no model wrote.
            await self._scribe.token(answer)
        self._has_spoken = False
        await self._scribe.update(node, self._context.budget.steps + 1, update)

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
