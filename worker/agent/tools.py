"""What a flow may do beside asking models: counted for the run, and kept for its later attempts."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID

from langgraph.config import get_config
from pydantic import JsonValue

from common.ports import Journal, Passage, Retriever
from common.repository.run_so_far import TOOL_STEP
from worker.agent.assistant import keep_passage, plain
from worker.agent.budget import Budget


class Tools:
    """The tools of one attempt. Both methods are called from nodes of the graph."""

    def __init__(self, budget: Budget, journal: Journal, retriever: Retriever) -> None:
        self._budget = budget
        self._journal = journal
        self._retriever = retriever

    async def call(self, name: str, request: JsonValue, work: Callable[[], Awaitable[JsonValue]]) -> Any:
        """What `work` returns, as JSON has it; an attempt that comes to the same step again gets what was kept.

        Raises `LimitReachedError` before one call too many, and what `work` raises.
        """

        async def count_and_work() -> JsonValue:
            self._budget.take_tool_call()
            return await work()

        place = get_config().get("metadata", {})
        step = f"{TOOL_STEP}{place.get('langgraph_step', 0)}:{place.get('langgraph_node', '')}:{name}"
        return await self._journal.once(step, request, count_and_work)

    async def search(self, collection_id: UUID, query: str) -> Sequence[Passage]:
        """The passages of a collection that are most alike to `query`. Raises as `Retriever.retrieve` and `call` do."""

        async def search() -> JsonValue:
            found = await self._retriever.retrieve(collection_id, query)
            return [plain(keep_passage(passage)) for passage in found]

        kept = await self.call("search", [str(collection_id), query], search)
        return [Passage(**{**each, "document_id": UUID(each["document_id"])}) for each in kept]
