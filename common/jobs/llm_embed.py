"""`llm.embed`: texts turned into vectors."""

import base64
from array import array
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from common.chat import ModelName
from common.ports import EmbedRequest, Usage
from common.queue.context import JobContext
from common.queue.definition import QueueName, Retry, job

_MAX_TEXTS = 10_000
_MAX_LENGTH = 100_000

Text = Annotated[str, StringConstraints(min_length=1, max_length=_MAX_LENGTH)]


class LlmEmbedPayload(BaseModel):
    """The texts, and how the vectors are to be written."""

    model_config = ConfigDict(extra="forbid")

    texts: list[Text] = Field(
        min_length=1,
        max_length=_MAX_TEXTS,
        description="EMBEDDING_MAX_TEXTS of them at most.",
        examples=[["What is a queue?", "대기열이 뭐예요?"]],
    )
    model: ModelName | None = Field(None, description="Left out: the worker's default embedding model.")
    encoding: Literal["float", "base64"] = Field(
        "float",
        description="`base64`: 32-bit floats, little-endian; less than half as long. A result holds MAX_RESULT_BYTES.",
    )


class LlmEmbedResult(BaseModel):
    """One vector for each text, in order."""

    vectors: list[list[float]] | list[str]
    model: str
    dimension: int
    usage: Usage | None = Field(description="None where the model counts no tokens.")


@job("llm.embed", queue=QueueName.LLM, timeout=timedelta(minutes=10), retry=Retry(max_attempts=4))
async def llm_embed(ctx: JobContext, payload: LlmEmbedPayload) -> LlmEmbedResult:
    """Turn texts into vectors; texts of several jobs travel to the model together."""
    found = await ctx.ports.embeddings.embed(EmbedRequest(payload.texts, payload.model, step="embed"))
    is_packed = payload.encoding == "base64"
    return LlmEmbedResult(
        vectors=[_pack(vector) for vector in found.vectors] if is_packed else [_shorten(v) for v in found.vectors],
        model=found.model,
        dimension=found.dimension,
        usage=found.usage,
    )


def _pack(vector: Sequence[float]) -> str:
    return base64.b64encode(array("f", vector).tobytes()).decode()


def _shorten(vector: Sequence[float]) -> list[float]:
    """What a 32-bit float can tell, in half the digits."""
    return [float(f"{number:.8g}") for number in vector]
