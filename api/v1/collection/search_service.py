"""Searches: a job each, whose answer most callers wait for."""

from datetime import timedelta
from uuid import UUID

from api.v1.collection.schema import SearchRequest
from api.v1.collection.service import missing_collection
from api.v1.job.service import JobService
from common.database.model import Job
from common.database.session import Sessions
from common.errors import ConflictError, UnavailableError
from common.jobs.collection_search import CollectionSearchPayload, collection_search
from common.queue.client import JobQueue, SubmitOptions
from common.queue.status import ErrorCode, JobStatus
from common.repository.collection import CollectionRepository
from common.repository.idempotency import RequestKey
from common.repository.job import Owner

_HEAD_START = 10
"""Minutes: somebody waits for the answer."""


class SearchService:
    """Every method acts for `owner` and raises `NotFoundError` for collections that they may not read."""

    def __init__(
        self, sessions: Sessions, collections: CollectionRepository, queue: JobQueue, jobs: JobService
    ) -> None:
        self._sessions = sessions
        self._collections = collections
        self._queue = queue
        self._jobs = jobs

    async def search(
        self,
        collection_id: UUID,
        owner: Owner,
        wanted: SearchRequest,
        wait: timedelta,
        request_id: str,
        key: RequestKey | None = None,
    ) -> tuple[Job, bool]:
        """The job of the search, ended or as it is after `wait`, and whether an earlier request made it.

        Raises `ConflictError` for what the collection cannot answer, `UnavailableError` when a server was away.
        """
        async with self._sessions() as db:
            if await self._collections.find_owner(db, collection_id, owner) is None:
                raise missing_collection(collection_id)
        payload = CollectionSearchPayload(collection_id=collection_id, **wanted.model_dump(exclude_unset=True))
        options = SubmitOptions(priority=_HEAD_START, request_id=request_id)
        accepted = await self._queue.accept(collection_search, payload, owner=owner, options=options, key=key)
        job = accepted.job
        if wait:
            job = await self._jobs.wait_after_submit(job, owner, wait)
        if job.status in (JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.EXPIRED):
            raise _failure(job)
        return job, accepted.is_replayed


def _failure(job: Job) -> ConflictError | UnavailableError:
    error = job.error or {}
    message = str(error.get("message") or "the search did not succeed")
    if error.get("code") == ErrorCode.PERMANENT or job.status == JobStatus.CANCELLED:
        return ConflictError(message)
    return UnavailableError(message)
