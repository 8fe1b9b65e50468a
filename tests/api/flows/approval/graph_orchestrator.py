"""Drafts with a model, rests while a file says so, asks for an approval, and writes the last word with a model."""

import asyncio
import os
from pathlib import Path
from typing import Any

from langchain_core.messages import AIMessage, HumanMessage
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import interrupt

from worker.agent.flow import FlowContext


class State(MessagesState, total=False):
    answer: str | None
    verdict: dict[str, Any]


class GraphOrchestrator:
    def begin(self, text: str, run_id: str) -> dict[str, Any]:
        return {"messages": [HumanMessage(text, id=f"{run_id}:user")], "answer": None}

    def graph(self) -> StateGraph[Any, FlowContext, Any, Any]:
        graph: StateGraph[Any, FlowContext, Any, Any] = StateGraph(State, context_schema=FlowContext)
        names = ["draft", "rest", "approve", "finish"]
        for name in names:
            graph.add_node(name, getattr(self, name))
        for before, after in zip([START, *names], [*names, END], strict=True):
            graph.add_edge(before, after)
        return graph

    async def draft(self, state: State, runtime: Runtime[FlowContext]) -> dict[str, Any]:
        said = await runtime.context.model.ainvoke([HumanMessage("draft: " + state["messages"][-1].text)])
        return {"answer": said.text}

    async def rest(self, state: State) -> dict[str, Any]:
        hold = Path(os.environ.get("FLOW_HOLD", "/nonexistent"))
        while await asyncio.to_thread(hold.exists):  # noqa: ASYNC110  the test is another process
            await asyncio.sleep(0.05)
        return {}

    async def approve(self, state: State) -> dict[str, Any]:
        return {"verdict": interrupt({"expects": "approval", "question": f"Send {state['answer']!r}?"})}

    async def finish(self, state: State, runtime: Runtime[FlowContext]) -> dict[str, Any]:
        word = "yes" if state["verdict"]["approved"] else "no"
        said = await runtime.context.model.ainvoke([HumanMessage(f"finish: {word}")])
        return {"answer": said.text, "messages": [AIMessage(said.text, id=f"{runtime.context.run_id}:finish")]}
