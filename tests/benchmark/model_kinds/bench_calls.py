"""`bench.calls`: calls of a model through the worker's port beside bare calls of the SDK, taking turns."""

import os
import random
from contextlib import aclosing
from time import perf_counter, process_time

from openai import AsyncOpenAI
from pydantic import BaseModel, ConfigDict

from common.ports import ChatMessage, ChatRequest
from common.queue.context import JobContext
from common.queue.definition import job

_MODEL = "gpt-4o-mini"


class CallsPayload(BaseModel):
    """How many calls of each way."""

    model_config = ConfigDict(extra="forbid")

    count: int


class Calls(BaseModel):
    """Seconds of each call, and of CPU for a call of each way on average."""

    ours: list[float]
    bare: list[float]
    ours_cpu: float
    bare_cpu: float


@job("bench.calls")
async def bench_calls(ctx: JobContext, payload: CallsPayload) -> Calls:
    """Measure both ways, the first some to warm up."""
    ours, bare = [], []
    used = [0.0, 0.0]
    async with AsyncOpenAI(base_url=os.environ["OPENAI_BASE_URL"], api_key="bench", max_retries=0) as client:
        for number in range(payload.count + 10):
            prompt = f"{number} {random.random()}"
            started, cpu = perf_counter(), [process_time()]
            await _bare(client, prompt)
            between = perf_counter()
            cpu.append(process_time())
            await _ours(ctx, prompt)
            ended = perf_counter()
            cpu.append(process_time())
            bare.append(between - started)
            ours.append(ended - between)
            if number >= 10:
                used = [used[0] + cpu[1] - cpu[0], used[1] + cpu[2] - cpu[1]]
    return Calls(ours=ours[10:], bare=bare[10:], bare_cpu=used[0] / payload.count, ours_cpu=used[1] / payload.count)


async def _bare(client: AsyncOpenAI, prompt: str) -> None:
    stream = await client.chat.completions.create(
        model=_MODEL,
        messages=[{"role": "user", "content": prompt}],
        stream=True,
        stream_options={"include_usage": True},
    )
    async for _ in stream:
        pass


async def _ours(ctx: JobContext, prompt: str) -> None:
    async with aclosing(ctx.ports.chat.stream(ChatRequest([ChatMessage(role="user", content=prompt)]))) as chunks:
        async for _ in chunks:
            pass
