"""What the job routes read from a request beside its body."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Header, Path, Query

from api.dependencies import SettingsDep
from api.preferences import parse_wait
from common.errors import InvalidError, NotFoundError
from common.queue.status import JobStatus
from common.repository.job_filter import JobFilter

_Name = Annotated[str | None, Query(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$")]


async def get_job_id(job_id: Annotated[str, Path(description="The job's id.")]) -> UUID:
    """The id from the path. A text that cannot be an id belongs to no job."""
    try:
        parsed = UUID(job_id)
    except ValueError:
        parsed = None
    if parsed is None or str(parsed) != job_id.lower():
        raise NotFoundError(f"job {job_id[:64]} does not exist")
    return parsed


async def get_wait(
    settings: SettingsDep,
    prefer: Annotated[list[str] | None, Header(description="`wait=N`: hold the answer up to N seconds.")] = None,
) -> timedelta:
    """How long the caller would wait, at most MAX_WAIT."""
    return parse_wait(prefer or [], limit=settings.max_wait)


async def get_filter(
    settings: SettingsDep,
    status: Annotated[list[JobStatus] | None, Query(description="Any of these.")] = None,
    kind: _Name = None,
    queue: _Name = None,
    tag: _Name = None,
    batch: Annotated[UUID | None, Query(description="The id of a batch.")] = None,
    limit: Annotated[int | None, Query(ge=1)] = None,
) -> JobFilter:
    """Which jobs to list, and how many at a time."""
    if limit is not None and limit > settings.max_page_limit:
        raise InvalidError(f"MAX_PAGE_LIMIT allows {settings.max_page_limit} jobs a page", path=("query", "limit"))
    return JobFilter(
        status=status or (), kind=kind, queue=queue, tag=tag, batch_id=batch, limit=limit or settings.page_limit
    )


JobIdDep = Annotated[UUID, Depends(get_job_id)]
WaitDep = Annotated[timedelta, Depends(get_wait)]
JobFilterDep = Annotated[JobFilter, Depends(get_filter)]
