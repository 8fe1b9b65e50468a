"""`collection.search`: the passages of a collection that are most alike to a text."""

from datetime import timedelta
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from common.documents.question import MAX_PASSAGES, PassageFilter, PassageRead, QueryText
from common.queue.context import JobContext
from common.queue.definition import QueueName, Retry, job


class CollectionSearchPayload(BaseModel):
    """What to look for, and where."""

    model_config = ConfigDict(extra="forbid")

    collection_id: UUID
    query: QueryText
    limit: int = Field(5, ge=1, le=MAX_PASSAGES)
    filter: PassageFilter | None = None


class CollectionSearchResult(BaseModel):
    """The passages, best first."""

    passages: list[PassageRead]


@job(
    "collection.search",
    queue=QueueName.LLM,
    timeout=timedelta(minutes=1),
    retry=Retry(max_attempts=3),
    retention=timedelta(hours=1),
)
async def collection_search(ctx: JobContext, payload: CollectionSearchPayload) -> CollectionSearchResult:
    """Find the passages of a collection that are most alike to a text."""
    found = await ctx.ports.retriever.retrieve(
        payload.collection_id, payload.query, limit=payload.limit, where=payload.filter
    )
    return CollectionSearchResult(passages=[PassageRead.of(each) for each in found])
