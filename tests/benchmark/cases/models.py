"""What Letuin adds to calls of models: many streams at a time, one call after the other, and vectors."""

import asyncio
import sys
from uuid import UUID

from openai import AsyncOpenAI

from common.jobs.llm_chat import LlmChatPayload, llm_chat
from common.jobs.llm_embed import LlmEmbedPayload, llm_embed
from tests.benchmark.cases.base import Case, Figure, Figures, percentile
from tests.benchmark.model_clients import Models, running_models
from tests.benchmark.model_kinds.bench_calls import CallsPayload, bench_calls
from tests.benchmark.peers.base import Peer
from tests.benchmark.work import now

_PIECES = 20
_LLM_WORKER = [sys.executable, "-m", "worker.main", "--queues", "llm", "--concurrency", "1000"]
_CALLS_WORKER = [sys.executable, "-m", "tests.benchmark.letuin_model_worker", "--queues", "default"]


class Chats(Case):
    """Streams of a second each, all at once in one worker; every piece is heard where api processes hear it."""

    name = "llm"
    title = "1,000 chats of a second"
    figures = (
        Figure("wall", "s", is_main=True),
        Figure("first piece p50", "ms"),
        Figure("pieces heard", "%", more_is_better=True),
        Figure("worker CPU", "ms/chat"),
        Figure("memory", "MB"),
        Figure("call p50", "ms"),
        Figure("bare SDK p50", "ms"),
        Figure("added p50", "ms"),
        Figure("call CPU", "ms"),
        Figure("bare SDK CPU", "ms"),
    )
    engines = ("letuin",)

    async def run(self, peer: Peer) -> Figures:
        count = self.scaled(1_000)
        flags = ("--pieces", str(_PIECES), "--pace", f"{1 / _PIECES}")
        async with running_models(peer.servers, _LLM_WORKER, *flags) as models:
            crowd = await _crowd(models, count)
        await peer.servers.clean()
        async with running_models(peer.servers, _CALLS_WORKER, "--pieces", str(_PIECES)) as models:
            return {**crowd, **await _calls(models, self.scaled(300))}


class Vectors(Case):
    """Jobs of four texts; one request of the provider carries those of many."""

    name = "embed"
    title = "Vectors of 1,000 jobs"
    figures = (
        Figure("texts", "1/s", is_main=True, more_is_better=True),
        Figure("bare SDK", "1/s", more_is_better=True),
        Figure("share", "%", more_is_better=True),
        Figure("texts a request", "", more_is_better=True),
        Figure("job p50", "ms"),
    )
    engines = ("letuin",)

    async def run(self, peer: Peer) -> Figures:
        count = self.scaled(1_000)
        async with running_models(peer.servers, _LLM_WORKER, "--delay", "0.05") as models:
            await _embed(models, -1)
            before = await models.requests()
            started = now()
            seconds = await asyncio.gather(*(_embed(models, number) for number in range(count)))
            wall = now() - started
            requests = await models.requests() - before
            bare = await _bare_vectors(models.provider, 4 * count, requests)
        return {
            "texts": 4 * count / wall,
            "bare SDK": bare,
            "share": 4 * count / wall / bare * 100,
            "texts a request": 4 * count / requests,
            "job p50": percentile(seconds, 0.5) * 1e3,
        }


async def _crowd(models: Models, count: int) -> Figures:
    await models.end_of(await models.submit(llm_chat, LlmChatPayload(prompt="warm up")))
    models.heard.clear()
    prompts = [LlmChatPayload(prompt=f"Question {number}") for number in range(count)]
    used, started = models.worker.cpu_seconds(), now()
    jobs = await asyncio.gather(*(models.submit(llm_chat, prompt) for prompt in prompts))
    await asyncio.gather(*map(models.end_of, jobs))
    used = models.worker.cpu_seconds() - used
    memory = models.worker.memory_mb()
    first: dict[UUID, float] = {}
    words = 0
    for at, event in models.heard:
        if event.type == "llm.delta":
            first.setdefault(event.job_id, at)
            words += len(str(event.data["text"]).split())
    ended = max(at for at, event in models.heard if event.type == "job.succeeded")
    waits = [first[job] - started for job in jobs if job in first]
    return {
        "wall": ended - started,
        "first piece p50": percentile(waits, 0.5) * 1e3,
        "pieces heard": words / (count * _PIECES) * 100,
        "worker CPU": used / count * 1e3,
        "memory": memory,
    }


async def _calls(models: Models, count: int) -> Figures:
    event = await models.end_of(await models.submit(bench_calls, CallsPayload(count=count)))
    ours, bare = event.data["result"]["ours"], event.data["result"]["bare"]
    added = [mine - theirs for mine, theirs in zip(ours, bare, strict=True)]
    return {
        "call p50": percentile(ours, 0.5) * 1e3,
        "bare SDK p50": percentile(bare, 0.5) * 1e3,
        "added p50": percentile(added, 0.5) * 1e3,
        "call CPU": event.data["result"]["ours_cpu"] * 1e3,
        "bare SDK CPU": event.data["result"]["bare_cpu"] * 1e3,
    }


async def _embed(models: Models, number: int) -> float:
    started = now()
    texts = [f"text {number} {each}" for each in range(4)]
    await models.end_of(
        await models.submit(llm_embed, LlmEmbedPayload(texts=texts, model="any-256", encoding="base64"))
    )
    return now() - started


async def _bare_vectors(provider: str, count: int, requests: int) -> float:
    """Texts a second of the SDK alone, in as many requests, all at once."""
    texts = [f"bare text {number}" for number in range(count)]
    size = -(-count // requests)
    async with AsyncOpenAI(base_url=f"{provider}/v1", api_key="bench", max_retries=0) as client:
        await client.embeddings.create(model="any-256", input=texts[:4])
        started = now()
        parts = (texts[start : start + size] for start in range(0, count, size))
        await asyncio.gather(*(client.embeddings.create(model="any-256", input=part) for part in parts))
    return count / (now() - started)
