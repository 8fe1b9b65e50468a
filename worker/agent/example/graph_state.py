"""What the example flow keeps from step to step, and what the models that steer it must answer."""

from typing import Annotated, Any, Literal, TypedDict

from langchain.messages import AnyMessage
from langgraph.graph.message import add_messages
from pydantic import BaseModel, Field

Route = Literal["retrieve", "direct", "clarify"]


class GraphState(TypedDict, total=False):
    """`messages` is the conversation; everything else belongs to the turn. Plain values only: they are checkpointed.

    `prompts` are the versions that the turn began with: it goes on with them, also under a newer release.
    """

    messages: Annotated[list[AnyMessage], add_messages]
    question: str
    route: Route
    documents: list[dict[str, Any]]
    answer: str | None
    citations: list[dict[str, Any]]
    has_asked: bool
    prompts: dict[str, int]


class RouteChoice(BaseModel):
    """What the router answers."""

    route: Route
    question: str = Field(min_length=1, max_length=4000)


class Grades(BaseModel):
    """What the grader answers: numbers of passages, counted from 1."""

    relevant: list[int] = Field(max_length=100)
