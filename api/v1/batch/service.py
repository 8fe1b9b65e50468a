"""Batches, for their owners: submit, follow, stop."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from api.references import References
from api.v1.job.request_schema import SubmitRequest
from common.database.model import Batch
from common.database.session import Sessions
from common.errors import AppError, NotFoundError
from common.queue.bulk import BulkCancelled, BulkQueue
from common.queue.catalog import Catalog
from common.queue.client import JobQueue, SubmitItem
from common.queue.submission import SubmittedBatch
from common.repository.batch import BatchRepository
from common.repository.idempotency import RequestKey
from common.repository.job import Owner
from common.repository.job_filter import JobFilter
from common.repository.reach import Reach


class BatchService:
    """What is not within reach is treated as missing."""

    def __init__(
        self,
        sessions: Sessions,
        batches: BatchRepository,
        queue: JobQueue,
        bulk: BulkQueue,
        catalog: Catalog,
        references: References,
    ) -> None:
        self._references = references
        self._sessions = sessions
        self._batches = batches
        self._queue = queue
        self._bulk = bulk
        self._catalog = catalog

    async def submit(
        self,
        requests: Sequence[SubmitRequest],
        owner: Owner,
        *,
        request_id: str,
        metadata: Mapping[str, Any] | None,
        key: RequestKey | None,
    ) -> SubmittedBatch:
        """Accept jobs together. Raises what `JobQueue.submit_many` raises."""
        refusals = await self._references.check_many([each.payload for each in requests], owner)
        items = [self._item(each, wrong, request_id) for each, wrong in zip(requests, refusals, strict=True)]
        return await self._queue.submit_many(items, owner=owner, metadata=metadata, key=key)

    async def get(self, batch_id: UUID, reach: Reach) -> tuple[Batch, dict[str, int]]:
        """The batch and how many of its jobs have each status. Raises `NotFoundError`."""
        async with self._sessions() as db:
            batch = await self._batches.find(db, batch_id, reach)
            if batch is None:
                raise NotFoundError(f"batch {batch_id} does not exist")
            return batch, await self._batches.count_by_status(db, batch_id)

    async def cancel(self, batch_id: UUID, reach: Reach) -> BulkCancelled:
        """Stop the queued and running jobs of the batch, at most MAX_BULK_JOBS. Raises `NotFoundError`."""
        batch, _ = await self.get(batch_id, reach)
        return await self._bulk.cancel(Owner(batch.tenant_id, batch.owner_id), JobFilter(batch_id=batch_id))

    def _item(self, wanted: SubmitRequest, refusal: AppError | None, request_id: str) -> SubmitItem:
        kind = self._catalog.get_kind(wanted.kind)
        return SubmitItem(kind, wanted.payload, wanted.options(request_id), refusal)
