"""`document.ingest`: from an uploaded file to passages that searches find."""

from datetime import timedelta
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from common.queue.context import JobContext
from common.queue.definition import QueueName, Retry, job


class DocumentIngestPayload(BaseModel):
    """Which content of which document; `again` also when searches find it already, because its vectors are gone."""

    model_config = ConfigDict(extra="forbid")

    collection_id: UUID
    document_id: UUID
    version_id: UUID
    again: bool = False


class DocumentIngestResult(BaseModel):
    """`found` is False when a newer content, or the end of the document, came first."""

    document_id: UUID
    version: int
    passages: int
    embedded: int
    found: bool


@job(
    "document.ingest",
    queue=QueueName.DOCUMENTS,
    timeout=timedelta(hours=1),
    retry=Retry(max_attempts=6, base=timedelta(seconds=2)),
    internal=True,
)
async def document_ingest(ctx: JobContext, payload: DocumentIngestPayload) -> DocumentIngestResult:
    """Split a document into passages, embed them, and let searches find them all at once."""

    async def report(fraction: float, message: str) -> None:
        await ctx.progress(fraction, message=message)

    done = await ctx.ports.documents.ingest(payload.version_id, report, again=payload.again)
    return DocumentIngestResult(
        document_id=done.document_id,
        version=done.version,
        passages=done.passages,
        embedded=done.embedded,
        found=done.is_found,
    )
