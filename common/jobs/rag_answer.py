"""`rag.answer`: an answer from the documents of a collection, with the passages it rests on."""

import re
from collections.abc import Sequence
from contextlib import aclosing
from datetime import timedelta
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from common.chat import ModelName
from common.documents.question import MAX_PASSAGES, PassageFilter, PassageRead, QueryText
from common.documents.quoting import cited_numbers, quote_passage
from common.errors import PromptTooLongError, TransientError
from common.ports import ChatMessage, ChatRequest, FinishReason, Passage, Usage
from common.prompts import load_prompt
from common.queue.context import JobContext
from common.queue.definition import QueueName, Retry, job

_PROMPT, _VERSION = "rag_answer", 2
_CONTEXT_BYTES = 12_000
_LEAST_CONTEXT_BYTES = 750
_HANGUL = re.compile(r"[가-힣]")
_NOTHING = "The documents of this collection do not answer this question."
_NOTHING_KO = "이 컬렉션의 문서에는 이 질문에 대한 답이 없습니다."


class RagAnswerPayload(BaseModel):
    """A question, and the collection that may answer it."""

    model_config = ConfigDict(extra="forbid")

    collection_id: UUID
    question: QueryText
    limit: int = Field(5, ge=1, le=MAX_PASSAGES, description="Most passages to answer from.")
    filter: PassageFilter | None = None
    min_score: float = Field(0.2, ge=0, le=1, description="Passages that are less alike to the question do not count.")
    model: ModelName | None = Field(None, description="Left out: the worker's default model.")
    max_tokens: int | None = Field(512, ge=1, le=100_000, description="Most tokens to answer with.")


class Source(PassageRead):
    """A passage that the model was given, under the number by which the answer cites it."""

    number: int


class RagAnswerResult(BaseModel):
    """The answer. `found` is False when no passage fits the question: then no model was asked.

    `citations` are the numbers of `sources` that the answer names, in order.
    """

    answer: str
    found: bool
    citations: list[int]
    sources: list[Source]
    model: str | None = None
    finish_reason: FinishReason | None = None
    usage: Usage | None = None
    prompt: str = Field(f"{_PROMPT}.v{_VERSION}", description="Name and version of the prompt.")


@job("rag.answer", queue=QueueName.LLM, timeout=timedelta(minutes=10), retry=Retry(max_attempts=4))
async def rag_answer(ctx: JobContext, payload: RagAnswerPayload) -> RagAnswerResult:
    """Answer a question from the documents of a collection, citing the passages, piece by piece while it comes."""
    if ctx.attempt > 1:
        await ctx.emit("llm.reset", {"attempt": ctx.attempt})
    found = await ctx.ports.retriever.retrieve(
        payload.collection_id, payload.question, limit=payload.limit, where=payload.filter
    )
    passages = [each for each in found if each.score >= payload.min_score]
    if not passages:
        answer = _NOTHING_KO if _HANGUL.search(payload.question) else _NOTHING
        await ctx.delta(answer)
        return RagAnswerResult(answer=answer, found=False, citations=[], sources=[])
    return await _answer(ctx, payload, passages)


async def _answer(ctx: JobContext, payload: RagAnswerPayload, passages: Sequence[Passage]) -> RagAnswerResult:
    """From as much of the passages as the model can read."""
    room = _CONTEXT_BYTES
    while True:
        sources = _fit(passages, room)
        try:
            return await _ask(ctx, payload, sources)
        except PromptTooLongError:
            # Providers count tokens each in their own way, and refuse before they say anything.
            if (room := room // 2) < _LEAST_CONTEXT_BYTES:
                raise


async def _ask(ctx: JobContext, payload: RagAnswerPayload, sources: list[Source]) -> RagAnswerResult:
    request = ChatRequest(
        messages=_conversation(payload.question, sources),
        model=payload.model,
        temperature=0,
        max_tokens=payload.max_tokens,
    )
    pieces: list[str] = []
    model, finish_reason, usage = None, None, None
    async with aclosing(ctx.ports.chat.stream(request)) as chunks:
        async for chunk in chunks:
            if chunk.text:
                pieces.append(chunk.text)
                await ctx.delta(chunk.text)
            model = chunk.model or model
            finish_reason = chunk.finish_reason or finish_reason
            usage = chunk.usage or usage
    if finish_reason is None:
        raise TransientError("the answer ended without a finish reason")
    answer = "".join(pieces)
    return RagAnswerResult(
        answer=answer,
        found=True,
        citations=cited_numbers(answer, len(sources)),
        sources=sources,
        model=model,
        finish_reason=finish_reason,
        usage=usage,
    )


def _conversation(question: str, sources: Sequence[Source]) -> list[ChatMessage]:
    blocks = [quote_passage(each.number, f"{each.document_name}{_page(each)}", each.text) for each in sources]
    asked = "\n\n".join([*blocks, f"Question: {question}"])
    system = ChatMessage(role="system", content=load_prompt(_PROMPT, _VERSION))
    return [system, ChatMessage(role="user", content=asked)]


def _page(source: Source) -> str:
    return "" if source.page is None else f", page {source.page}"


def _fit(passages: Sequence[Passage], room: int) -> list[Source]:
    """The best passages within `room` bytes; the first is cut rather than left out."""
    sources: list[Source] = []
    for number, passage in enumerate(passages, 1):
        text = passage.text.encode()[:room].decode(errors="ignore")
        if sources and len(text) < len(passage.text):
            break
        room -= len(text.encode())
        sources.append(Source(number=number, **{**PassageRead.of(passage).model_dump(), "text": text}))
    return sources
