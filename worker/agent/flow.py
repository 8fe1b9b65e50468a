"""What a flow is to the worker, and what a run lends to its nodes."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID

from langchain_core.language_models import BaseChatModel
from langgraph.graph import StateGraph

from worker.agent.budget import Budget
from worker.agent.tools import Tools


class Judge(StrEnum):
    """Who decides between steps: the language model, or the scores of the search."""

    MODEL = "model"
    SCORE = "score"


@dataclass(frozen=True, slots=True)
class FlowContext:
    """What the nodes of one attempt work with. Not checkpointed. `tools` counts and keeps what they call.

    `run_id` begins the ids of messages: the same in all attempts, another one when the owner has the job done again.
    """

    model: BaseChatModel
    tools: Tools
    budget: Budget
    judge: Judge
    run_id: str
    collection_id: UUID | None = None


class Flow(Protocol):
    """A `GraphOrchestrator` in a folder of `worker.agent`. One instance serves every run of the process."""

    def graph(self) -> StateGraph[Any, FlowContext, Any, Any]:
        """The graph, not compiled. Its state has `messages` and `answer`, and may have `documents` and `citations`."""
        ...

    def begin(self, text: str, run_id: str) -> dict[str, Any]:
        """The values that a new turn starts with."""
        ...
