"""`llm.batch`: many prompts in one job, each with an outcome of its own."""

import asyncio
from collections import Counter
from datetime import timedelta
from functools import reduce
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from common.chat import ModelName, Question, add_usage, ask
from common.errors import PermanentError, Snooze, TransientError
from common.ports import ChatRequest, FinishReason, Usage
from common.queue.context import JobContext
from common.queue.definition import QueueName, Retry, job
from common.redaction import redact

_MAX_ITEMS = 1000
_MAX_TOKENS = 1_000_000
# Longer answers are in the result alone: events are bounded.
_LONGEST_TOLD = 8000
_LONGEST_MESSAGE = 500

CustomId = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class LlmBatchItem(Question):
    """One prompt. What it leaves out comes from the batch."""

    custom_id: CustomId = Field(description="Yours; no other item of the batch has it.")


class LlmBatchPayload(BaseModel):
    """The prompts, and what goes for all that do not say otherwise."""

    model_config = ConfigDict(extra="forbid")

    items: list[LlmBatchItem] = Field(min_length=1, max_length=_MAX_ITEMS)
    model: ModelName | None = Field(None, description="Left out: the worker's default model.")
    temperature: float | None = Field(None, ge=0, le=2)
    max_tokens: int | None = Field(None, ge=1, le=_MAX_TOKENS, description="Most tokens of each answer.")
    parallel: int = Field(8, ge=1, le=64, description="How many prompts are under way at a time.")

    @model_validator(mode="after")
    def _ids_are_unique(self) -> Self:
        counts = Counter(item.custom_id for item in self.items)
        if twice := [name for name, count in counts.items() if count > 1]:
            raise ValueError(f"custom_id is given twice: {', '.join(twice[:5])}")
        return self

    def request(self, item: LlmBatchItem) -> ChatRequest:
        """What to ask the model for one item."""
        return ChatRequest(
            messages=item.conversation(),
            model=item.model or self.model,
            temperature=self.temperature if item.temperature is None else item.temperature,
            max_tokens=item.max_tokens or self.max_tokens,
            stream=False,
            step=f"item:{item.custom_id}",
        )


class LlmBatchError(BaseModel):
    """Why an item has no answer: `permanent`, or `transient` when no attempt of the job brought one."""

    code: str
    message: str


class LlmBatchOutcome(BaseModel):
    """What became of one item."""

    custom_id: str
    status: Literal["succeeded", "failed"]
    text: str | None = None
    finish_reason: FinishReason | None = None
    usage: Usage | None = None
    model: str | None = None
    error: LlmBatchError | None = None


class LlmBatchResult(BaseModel):
    """The outcomes, in the order of the items. `usage` is of those that succeeded."""

    items: list[LlmBatchOutcome]
    succeeded: int
    failed: int
    usage: Usage | None


@job("llm.batch", queue=QueueName.LLM, timeout=timedelta(hours=1), retry=Retry(max_attempts=4))
async def llm_batch(ctx: JobContext, payload: LlmBatchPayload) -> LlmBatchResult:
    """Ask a language model many things; each prompt succeeds or fails by itself, and none is paid for twice."""
    run = _Run(ctx, payload)
    await run.work()
    if run.wait is not None:
        raise run.wait
    if run.put_off and not ctx.is_last:
        raise TransientError(f"{len(run.put_off)} of {len(payload.items)} items failed for now", retry_after=run.after)
    outcomes = {**run.done, **run.put_off}
    items = [outcomes[item.custom_id] for item in payload.items]
    succeeded = [item for item in items if item.status == "succeeded"]
    usage = reduce(add_usage, (item.usage for item in succeeded), None)
    return LlmBatchResult(items=items, succeeded=len(succeeded), failed=len(items) - len(succeeded), usage=usage)


class _Run:
    """One attempt: workers take items from a common list until it is empty, or until something makes the job wait."""

    def __init__(self, ctx: JobContext, payload: LlmBatchPayload) -> None:
        self._ctx, self._payload = ctx, payload
        self._items = iter(payload.items)
        self.done: dict[str, LlmBatchOutcome] = {}
        self.put_off: dict[str, LlmBatchOutcome] = {}
        self.wait: Snooze | None = None
        self.after: timedelta | None = None

    async def work(self) -> None:
        """Go through the items. What is under way when the job has to wait still comes to its end, and is kept."""
        async with asyncio.TaskGroup() as group:
            for _ in range(min(self._payload.parallel, len(self._payload.items))):
                group.create_task(self._take_turns())

    async def _take_turns(self) -> None:
        for item in self._items:
            await self._do(item)
            if self._ctx.is_late and self.wait is None and self.done:
                # There is more than fits into one attempt; what was answered is kept for the next.
                self.wait = Snooze(timedelta(0), "continues")
            if self.wait is not None:
                return

    async def _do(self, item: LlmBatchItem) -> None:
        try:
            answer = await ask(self._ctx.ports.chat, self._payload.request(item))
        except Snooze as wait:
            if self.wait is None or wait.delay > self.wait.delay:
                self.wait = wait
            return
        except PermanentError as error:
            self.done[item.custom_id] = _failed(item, error)
        except TransientError as error:
            self.put_off[item.custom_id] = _failed(item, error)
            if error.retry_after is not None:
                self.after = max(error.retry_after, self.after or error.retry_after)
            return
        else:
            self.done[item.custom_id] = LlmBatchOutcome(
                custom_id=item.custom_id,
                status="succeeded",
                text=answer.text,
                finish_reason=answer.finish_reason,
                usage=answer.usage,
                model=answer.model,
            )
        await self._tell(self.done[item.custom_id])

    async def _tell(self, outcome: LlmBatchOutcome) -> None:
        told = outcome.model_dump(mode="json", exclude_none=True)
        if len(outcome.text or "") > _LONGEST_TOLD:
            del told["text"]
        await self._ctx.emit("batch.item", told)
        done, total = len(self.done), len(self._payload.items)
        await self._ctx.progress(done, total, f"{done} of {total}")


def _failed(item: LlmBatchItem, error: PermanentError | TransientError) -> LlmBatchOutcome:
    told = LlmBatchError(code=error.code, message=redact(error.message)[:_LONGEST_MESSAGE])
    return LlmBatchOutcome(custom_id=item.custom_id, status="failed", error=told)
