"""Goes in circles: each lap asks the model and calls a tool."""

from typing import Any

from langchain_core.messages import HumanMessage
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.runtime import Runtime

from worker.agent.flow import FlowContext


class State(MessagesState, total=False):
    answer: str | None
    laps: int


class GraphOrchestrator:
    def begin(self, text: str, run_id: str) -> dict[str, Any]:
        return {"messages": [HumanMessage(text, id=f"{run_id}:user")], "answer": None, "laps": 0}

    def graph(self) -> StateGraph[Any, FlowContext, Any, Any]:
        graph: StateGraph[Any, FlowContext, Any, Any] = StateGraph(State, context_schema=FlowContext)
        graph.add_node("lap", self.lap)
        graph.add_edge(START, "lap")
        graph.add_conditional_edges("lap", lambda state: END if state["answer"] == "stop" else "lap", ["lap", END])
        return graph

    async def lap(self, state: State, runtime: Runtime[FlowContext]) -> dict[str, Any]:
        laps = state["laps"] + 1
        said = await runtime.context.model.ainvoke([HumanMessage(f"lap {laps}")])

        async def note() -> int:
            return laps

        return {"answer": said.text, "laps": await runtime.context.tools.call("note", "lap", note)}
