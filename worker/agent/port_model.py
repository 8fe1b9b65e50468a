"""The attempt's chat port as a langchain model, so that journal, limits and streaming hold inside of chains."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.chat_models import agenerate_from_stream
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from pydantic import ConfigDict, Field, PrivateAttr, SkipValidation

from common.ports import ChatChunk, ChatModel, ChatRequest
from worker.agent.assistant import to_chat_message
from worker.agent.budget import Budget


class PortChatModel(BaseChatModel):
    """Calls go to `port`. Each names its step by node and step of the graph, which a later attempt repeats."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    port: SkipValidation[ChatModel] = Field(exclude=True)
    budget: SkipValidation[Budget] = Field(exclude=True)
    model_name: str | None = None
    _calls: Counter[str] = PrivateAttr(default_factory=Counter)

    @property
    def _llm_type(self) -> str:
        return "letuin-port"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        raise NotImplementedError("chains of a worker are asynchronous")

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return await agenerate_from_stream(self._astream(messages, stop, run_manager, **kwargs))

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        self.budget.check()
        request = ChatRequest(
            messages=[to_chat_message(message) for message in messages],
            model=self.model_name,
            step=self._name_step(run_manager),
            **{name: value for name, value in kwargs.items() if name in _OPTIONS},
        )
        async with aclosing(self.port.stream(request)) as chunks:
            async for chunk in chunks:
                piece = _to_generation(chunk)
                if run_manager is not None:
                    await run_manager.on_llm_new_token(chunk.text, chunk=piece)
                yield piece

    def _name_step(self, run_manager: AsyncCallbackManagerForLLMRun | None) -> str:
        metadata = run_manager.metadata if run_manager is not None else {}
        place = f"{metadata.get('langgraph_step', 0)}:{metadata.get('langgraph_node', '')}"
        self._calls[place] += 1
        return f"agent:{place}:{self._calls[place]}"


_OPTIONS = frozenset({"temperature", "max_tokens", "tools", "tool_choice", "response_schema"})


def _to_generation(chunk: ChatChunk) -> ChatGenerationChunk:
    usage = chunk.usage
    message = AIMessageChunk(
        content=chunk.text,
        tool_call_chunks=[
            {"name": call.name, "args": call.arguments, "id": call.id, "index": index, "type": "tool_call_chunk"}
            for index, call in enumerate(chunk.tool_calls)
        ],
        usage_metadata=None
        if usage is None
        else UsageMetadata(
            input_tokens=usage.input_tokens, output_tokens=usage.output_tokens, total_tokens=usage.total_tokens
        ),
    )
    return ChatGenerationChunk(message=message)
