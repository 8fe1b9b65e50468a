"""`fault.pay`: makes paid calls one after the other, and fails or dies at a named point of its first attempt."""

import os
import signal
from contextlib import aclosing
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from common.errors import TransientError
from common.ports import ChatMessage, ChatRequest, EmbedRequest
from common.queue.context import JobContext
from common.queue.definition import Retry, job

type Point = Literal["before", "inside", "after"]


class PayPayload(BaseModel):
    """Prompts for the model, then tools to call, then texts to embed; each tool call leaves a line in `book`.

    The first attempt ends at `point` of call number `at`, by an error or by SIGKILL.
    """

    model_config = ConfigDict(extra="forbid")

    prompts: list[str] = []
    tools: list[str] = []
    texts: list[str] = []
    book: str = ""
    point: Point | None = None
    at: int = 0
    is_killed: bool = False
    model: str | None = None
    max_tokens: int | None = None


class PayResult(BaseModel):
    """What the model said to each prompt, the tools to each call, and the sum of each text's vector."""

    texts: list[str]
    answers: list[int]
    vectors: list[float] = []


@job("fault.pay", queue="default", retry=Retry(max_attempts=3))
async def pay(ctx: JobContext, payload: PayPayload) -> PayResult:
    """Ask every prompt, call every tool, embed every text."""
    texts, answers, vectors = [], [], []
    for number, prompt in enumerate(payload.prompts):
        _stumble(ctx, payload, number, "before")
        texts.append(await _ask(ctx, payload, number, prompt))
        _stumble(ctx, payload, number, "after")
    for number, name in enumerate(payload.tools, len(payload.prompts)):
        _stumble(ctx, payload, number, "before")
        answers.append(await _call(ctx, payload, number, name))
        _stumble(ctx, payload, number, "after")
    for number, text in enumerate(payload.texts, len(payload.prompts) + len(payload.tools)):
        _stumble(ctx, payload, number, "before")
        found = await ctx.ports.embeddings.embed(EmbedRequest([text], step="embed"))
        vectors.append(sum(found.vectors[0]))
        _stumble(ctx, payload, number, "after")
    return PayResult(texts=texts, answers=answers, vectors=vectors)


async def _ask(ctx: JobContext, payload: PayPayload, number: int, prompt: str) -> str:
    message = ChatMessage(role="user", content=prompt)
    request = ChatRequest([message], model=payload.model, max_tokens=payload.max_tokens, step="ask")
    text = ""
    async with aclosing(ctx.ports.chat.stream(request)) as chunks:
        async for chunk in chunks:
            text += chunk.text
            if chunk.text:
                _stumble(ctx, payload, number, "inside")
    return text


async def _call(ctx: JobContext, payload: PayPayload, number: int, name: str) -> int:
    async def tool() -> int:
        lines = _write(Path(payload.book), name)
        _stumble(ctx, payload, number, "inside")
        return lines

    found = await ctx.ports.journal.once("tool", {"name": name}, tool)
    assert isinstance(found, int)
    return found


def _write(book: Path, line: str) -> int:
    """The number of lines with this one."""
    with book.open("a+") as file:
        file.write(f"{line}\n")
        file.seek(0)
        return len(file.readlines())


def _stumble(ctx: JobContext, payload: PayPayload, number: int, point: Point) -> None:
    if ctx.attempt > 1 or (payload.point, payload.at) != (point, number):
        return
    if payload.is_killed:
        os.kill(os.getpid(), signal.SIGKILL)
    raise TransientError("stumbled", retry_after=None)
