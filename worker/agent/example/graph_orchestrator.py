"""The example flow as a LangGraph graph: route, retrieve, grade, answer with citations; or ask back; or answer."""

import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from langchain.messages import AIMessage, HumanMessage
from langchain_core.exceptions import OutputParserException
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import interrupt

from common.errors import PermanentError, PromptTooLongError
from worker.agent.assistant import cite, keep_passage, last_question, recent, show_passages
from worker.agent.example.chain_builder import Answering, ChainBuilder
from worker.agent.example.graph_state import GraphState, Route
from worker.agent.example.prompt_manager import PromptManager
from worker.agent.flow import FlowContext, Judge

_PROMPTS = Path(__file__).parent / "prompts"
_LIKE_THE_BEST = 0.6
_LEAST_SCORE = 0.2
"""Without a model that grades, passages count whose score is this high and at least that part of the best one's."""
_ROOM, _LEAST_ROOM = 12_000, 750
"""Characters of passages, and of the conversation."""
_HANGUL = re.compile(r"[가-힣]")
_NOTHING = "The documents of this collection do not answer this question."
_NOTHING_KO = "이 컬렉션의 문서에는 이 질문에 대한 답이 없습니다."


class GraphOrchestrator:
    """One instance a process; nothing of a run is kept here."""

    def __init__(self) -> None:
        prompts = PromptManager(_PROMPTS)
        self._chains, self._newest = ChainBuilder(prompts), prompts.newest

    def begin(self, text: str, run_id: str) -> dict[str, Any]:
        """See `Flow.begin`: what the turn before found and answered is no part of this one."""
        return {
            "messages": [HumanMessage(text, id=f"{run_id}:user")],
            "question": text,
            "documents": [],
            "answer": None,
            "citations": [],
            "has_asked": False,
            "prompts": self._newest,
        }

    def graph(self) -> StateGraph[Any, FlowContext, Any, Any]:
        """See `Flow.graph`."""
        graph: StateGraph[Any, FlowContext, Any, Any] = StateGraph(GraphState, context_schema=FlowContext)
        for node in (self.route, self.retrieve, self.grade, self.answer, self.direct, self.clarify, self.wait):
            graph.add_node(node.__name__, node)
        graph.add_edge(START, "route")
        graph.add_conditional_edges("route", _follow_route, ["retrieve", "direct", "clarify"])
        graph.add_edge("retrieve", "grade")
        graph.add_conditional_edges("grade", _follow_grade, ["answer", "clarify"])
        graph.add_edge("clarify", "wait")
        graph.add_edge("wait", "retrieve")
        for last in ("answer", "direct"):
            graph.add_edge(last, END)
        return graph

    async def route(self, state: GraphState, runtime: Runtime[FlowContext]) -> GraphState:
        """Where the turn goes. Without documents there is nothing to choose."""
        context = runtime.context
        if context.collection_id is None:
            return {"route": "direct"}
        if context.judge is Judge.SCORE:
            return {"route": "retrieve"}
        chain = self._chains.route(context.model, _versions(state))
        try:
            choice = await _fitting(lambda room: chain.ainvoke({"messages": recent(state["messages"], room)}))
        except OutputParserException:
            return {"route": "retrieve"}
        return {"route": choice.route, "question": choice.question}

    async def retrieve(self, state: GraphState, runtime: Runtime[FlowContext]) -> GraphState:
        """Search the collection for the question."""
        context = runtime.context
        if context.collection_id is None:
            return {"documents": []}
        found = await context.tools.search(context.collection_id, state["question"])
        runtime.stream_writer({"step": "retrieve", "found": len(found)})
        return {"documents": [keep_passage(passage) for passage in found]}

    async def grade(self, state: GraphState, runtime: Runtime[FlowContext]) -> GraphState:
        """Keep the passages that help."""
        documents = state["documents"]
        if runtime.context.judge is Judge.SCORE or not documents:
            return {"documents": _best(documents)}
        question, chain = state["question"], self._chains.grade(runtime.context.model, _versions(state))
        try:
            grades = await _fitting(
                lambda room: chain.ainvoke({"question": question, "passages": show_passages(documents, room)})
            )
        except OutputParserException:
            return {"documents": _best(documents)}
        return {"documents": [each for number, each in enumerate(documents, 1) if number in grades.relevant]}

    async def answer(self, state: GraphState, runtime: Runtime[FlowContext]) -> GraphState:
        """Answer from the passages; where there are none and no model judges, say so without asking one."""
        documents = state["documents"]
        if not documents and runtime.context.judge is Judge.SCORE:
            text = _NOTHING_KO if _HANGUL.search(state["question"]) else _NOTHING
            return _said(AIMessage(text), runtime, "answer")
        said = await self._say(self._chains.answer(runtime.context.model, _versions(state)), state, runtime, "answer")
        citations = [citation.model_dump(mode="json") for citation in cite(said["answer"] or "", documents)]
        return {**said, "citations": citations}

    async def direct(self, state: GraphState, runtime: Runtime[FlowContext]) -> GraphState:
        """Answer without documents."""
        return await self._say(self._chains.direct(runtime.context.model, _versions(state)), state, runtime, "direct")

    async def clarify(self, state: GraphState, runtime: Runtime[FlowContext]) -> GraphState:
        """Ask back; `wait` waits for the answer."""
        said = await self._say(self._chains.clarify(runtime.context.model, _versions(state)), state, runtime, "clarify")
        return {**said, "has_asked": True}

    async def wait(self, state: GraphState, runtime: Runtime[FlowContext]) -> GraphState:
        """Stop until somebody resumes with a text."""
        reply = interrupt({"expects": "text", "question": state["answer"]})
        if not isinstance(reply, str) or not reply.strip():
            raise PermanentError("this interrupt is answered with a text")
        before = last_question(state["messages"])
        said = HumanMessage(reply, id=f"{runtime.context.run_id}:reply")
        return {"messages": [said], "question": f"{before}\n{reply}", "answer": None}

    async def _say(self, chain: Answering, state: GraphState, runtime: Runtime[FlowContext], node: str) -> GraphState:
        """Let the model speak, from the conversation and the passages."""

        def ask(room: int) -> Awaitable[AIMessage]:
            passages = show_passages(state["documents"], room)
            return chain.ainvoke({"messages": recent(state["messages"], room), "passages": passages})

        return _said(await _fitting(ask), runtime, node)


async def _fitting[R](ask: Callable[[int], Awaitable[R]]) -> R:
    """Ask from as much of the conversation and the passages as the model can read: half as much after each refusal."""
    room = _ROOM
    while True:
        try:
            return await ask(room)
        except PromptTooLongError:
            if (room := room // 2) < _LEAST_ROOM:
                raise


def _said(message: AIMessage, runtime: Runtime[FlowContext], node: str) -> GraphState:
    """Kept under an id of our own: a step that runs again after a crash replaces what it said."""
    text = message.text
    return {"messages": [AIMessage(text, id=f"{runtime.context.run_id}:{node}")], "answer": text}


def _versions(state: GraphState) -> dict[str, int]:
    """Of the prompts; none in a turn that an older release began."""
    return state.get("prompts") or {}


def _best(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    best = max((each["score"] for each in documents), default=0.0)
    return [each for each in documents if each["score"] >= max(best * _LIKE_THE_BEST, _LEAST_SCORE)]


def _follow_route(state: GraphState) -> Route:
    return state["route"]


def _follow_grade(state: GraphState, runtime: Runtime[FlowContext]) -> str:
    """Nothing helps: ask back once, then say so. Without a model that judges, an answer says so."""
    can_ask = runtime.context.judge is Judge.MODEL and not state.get("has_asked")
    return "clarify" if not state["documents"] and can_ask else "answer"
