"""`document.clean`: removes vectors and files that nobody finds any more."""

from datetime import timedelta

from pydantic import BaseModel, ConfigDict

from common.queue.context import JobContext
from common.queue.definition import QueueName, Retry, job
from common.schedule.declared import KindSchedule


class DocumentCleanPayload(BaseModel):
    """`sweep`: look also for vectors and files that belong to nothing."""

    model_config = ConfigDict(extra="forbid")

    sweep: bool = False


class DocumentCleanResult(BaseModel):
    """How many contents, whole collections, stray vectors and stray files were removed."""

    contents: int
    collections: int
    stray_vectors: int
    stray_files: int


@job(
    "document.clean",
    queue=QueueName.DOCUMENTS,
    timeout=timedelta(minutes=30),
    retry=Retry(max_attempts=2),
    retention=timedelta(days=1),
    internal=True,
    schedule=KindSchedule(interval=timedelta(hours=1), payload={"sweep": True}),
)
async def document_clean(ctx: JobContext, payload: DocumentCleanPayload) -> DocumentCleanResult:
    """Remove what replaced and deleted documents have left behind."""
    done = await ctx.ports.documents.clean(sweep=payload.sweep)
    return DocumentCleanResult(
        contents=done.contents,
        collections=done.collections,
        stray_vectors=done.stray_vectors,
        stray_files=done.stray_files,
    )
