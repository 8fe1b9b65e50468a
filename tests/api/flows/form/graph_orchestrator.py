"""Says what it is about, asks for a value, and answers with it. A folder with this one file is a flow."""

import json
from typing import Any

from langchain_core.messages import AIMessage, HumanMessage
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import interrupt

from worker.agent.flow import FlowContext


class State(MessagesState, total=False):
    answer: str | None


class GraphOrchestrator:
    def begin(self, text: str, run_id: str) -> dict[str, Any]:
        return {"messages": [HumanMessage(text, id=f"{run_id}:user")], "answer": None}

    def graph(self) -> StateGraph[Any, FlowContext, Any, Any]:
        graph: StateGraph[Any, FlowContext, Any, Any] = StateGraph(State, context_schema=FlowContext)
        graph.add_node("ask", self.ask)
        graph.add_edge(START, "ask")
        return graph

    async def ask(self, state: State, runtime: Runtime[FlowContext]) -> dict[str, Any]:
        runtime.stream_writer({"about": state["messages"][-1].text})
        text = json.dumps(interrupt({"question": "Where to?", "details": {"cities": ["Seoul"]}}))
        return {"answer": text, "messages": [AIMessage(text, id=f"{runtime.context.run_id}:ask")]}
