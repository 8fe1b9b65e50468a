"""Many jobs at once: cancel and retry by filter."""

from fastapi import Response, status

from api.dependencies import CallerDep, JobServiceDep
from api.feature import feature_router
from api.v1.job.bulk_schema import CancelledRead, JobSelection, RetriedRead

router = feature_router("/jobs", tag="jobs")


@router.post("/cancel", responses={202: {"model": CancelledRead}})
async def cancel_jobs(
    selection: JobSelection, caller: CallerDep, service: JobServiceDep, response: Response
) -> CancelledRead:
    """Stop the queued and running jobs that match, oldest first, at most MAX_BULK_JOBS; 202 when workers were asked."""
    done = await service.cancel_many(caller.owner, selection.filter())
    if done.requested:
        response.status_code = status.HTTP_202_ACCEPTED
    return CancelledRead.model_validate(done)


@router.post("/retry", status_code=status.HTTP_202_ACCEPTED)
async def retry_jobs(selection: JobSelection, caller: CallerDep, service: JobServiceDep) -> RetriedRead:
    """Queue the jobs that match again, oldest first, at most MAX_BULK_JOBS; without `status`, those that failed."""
    return RetriedRead.model_validate(await service.retry_many(caller.owner, selection.filter()))
