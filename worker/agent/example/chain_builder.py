"""The chains of the example flow: a prompt, the attempt's model and, where a decision is wanted, its shape."""

from collections.abc import Mapping
from typing import Any, cast

from langchain.messages import AIMessage
from langchain_core.language_models import BaseChatModel
from langchain_core.output_parsers import PydanticOutputParser
from langchain_core.runnables import Runnable
from pydantic import BaseModel

from worker.agent.example.graph_state import Grades, RouteChoice
from worker.agent.example.prompt_manager import PromptManager

type Versions = Mapping[str, int]
type Answering = Runnable[dict[str, Any], AIMessage]
type Deciding[M: BaseModel] = Runnable[dict[str, Any], M]

ANSWERING_TAG = "answering"
"""Marks calls whose text is for the user."""
_LONGEST_ANSWER = 1024
"""Tokens."""


class ChainBuilder:
    """Builds a chain for one call; the model belongs to the attempt, the versions of the prompts to the turn."""

    def __init__(self, prompts: PromptManager) -> None:
        self._prompts = prompts

    def answer(self, model: BaseChatModel, versions: Versions) -> Answering:
        """From `passages` and `messages` to an answer."""
        return self._writing("answer", model, versions)

    def direct(self, model: BaseChatModel, versions: Versions) -> Answering:
        """From `messages` to an answer."""
        return self._writing("direct", model, versions)

    def clarify(self, model: BaseChatModel, versions: Versions) -> Answering:
        """From `messages` to a question for the user."""
        return self._writing("clarify", model, versions)

    def route(self, model: BaseChatModel, versions: Versions) -> Deciding[RouteChoice]:
        """From `messages` to a choice."""
        return self._deciding("route", model, versions, RouteChoice)

    def grade(self, model: BaseChatModel, versions: Versions) -> Deciding[Grades]:
        """From `question` and `passages` to the numbers of those that help."""
        return self._deciding("grade", model, versions, Grades)

    def _writing(self, name: str, model: BaseChatModel, versions: Versions) -> Answering:
        speaking = model.bind(max_tokens=_LONGEST_ANSWER).with_config(tags=[ANSWERING_TAG])
        return cast(Answering, self._prompts.get(name, versions.get(name)) | speaking)

    def _deciding[M: BaseModel](
        self, name: str, model: BaseChatModel, versions: Versions, shape: type[M]
    ) -> Deciding[M]:
        bound = model.bind(response_schema=shape.model_json_schema(), temperature=0.0)
        prompt = self._prompts.get(name, versions.get(name))
        return cast(Deciding[M], prompt | bound | PydanticOutputParser(pydantic_object=shape))
