"""/jobs: submit work, follow it, stop it."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response, status
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from api.dependencies import CallerDep, JobServiceDep
from api.feature import feature_router
from api.v1.job.answer import JSON, describe
from api.v1.job.bulk_schema import RetryRequest
from api.v1.job.dependencies import JobFilterDep, JobIdDep, WaitDep
from api.v1.job.etag import etag_of, matches
from api.v1.job.schema import (
    AttemptList,
    CancelledJob,
    JobPage,
    JobRead,
    JobSummary,
    KindList,
    KindRead,
    PayloadRead,
    job_json,
)
from api.v1.job.service import has_ended
from common.database.model import Job
from common.queue.client import CancelOutcome

_POLL_SECONDS = "1"
_ACCEPTED = status.HTTP_202_ACCEPTED
_ROUTE = "POST /api/v1/jobs"


def create_router() -> APIRouter:
    """The routes but for the submit, which `submit.py` adds."""
    router = feature_router("/jobs", tag="jobs")
    router.get("")(list_jobs)
    router.get("/kinds")(list_kinds)
    router.get("/{job_id}", response_model=JobRead, responses={304: {"description": "Not changed"}})(get_job)
    router.get("/{job_id}/payload")(get_payload)
    router.get("/{job_id}/attempts")(list_attempts)
    router.post("/{job_id}/cancel", responses={202: {"model": CancelledJob}})(cancel_job)
    router.post("/{job_id}/retry", status_code=_ACCEPTED)(retry_job)
    return router


async def list_jobs(
    caller: CallerDep,
    service: JobServiceDep,
    wanted: JobFilterDep,
    request: Request,
    response: Response,
    everybody: Annotated[bool, Query(description="Of your whole tenant; for operators and admins.")] = False,
    cursor: Annotated[str | None, Query(max_length=128, description="`next_cursor` of the page before.")] = None,
) -> JobPage:
    """Your jobs, newest first, without payloads and results."""
    if everybody:
        caller.require_operator()
    page = await service.list_page(caller.owner, wanted, cursor, everybody=everybody)
    if page.next_cursor:
        following = request.url.include_query_params(cursor=page.next_cursor)
        response.headers["Link"] = f'<{following.path}?{following.query}>; rel="next"'
    lanes = await service.find_lanes(*page.jobs)
    return JobPage(items=[JobSummary.of(job, lanes) for job in page.jobs], next_cursor=page.next_cursor)


async def list_kinds(caller: CallerDep, service: JobServiceDep) -> KindList:
    """Every kind of job that can be submitted, with the JSON Schema of its payload and result."""
    return KindList(items=[KindRead.of(kind) for kind in service.list_kinds()])


async def get_job(
    job_id: JobIdDep,
    caller: CallerDep,
    service: JobServiceDep,
    wait: WaitDep,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """One job. `Prefer: wait=N` holds the answer until it ended, or with `If-None-Match` until it changed."""
    is_done = has_ended if if_none_match is None else partial(_has_changed, since=if_none_match)
    job = await service.wait_until(job_id, caller.reach, wait, is_done)
    if if_none_match is not None and not _has_changed(job, since=if_none_match):
        response = Response(status_code=status.HTTP_304_NOT_MODIFIED)
    else:
        response = Response(job_json(job, await service.find_lanes(job)), media_type=JSON)
    describe(response, job, wait)
    return response


async def get_payload(job_id: JobIdDep, caller: CallerDep, service: JobServiceDep) -> PayloadRead:
    """What the job was submitted with; a retry with another payload shows the other one."""
    return PayloadRead.of(await service.get_whole(job_id, caller.reach))


async def list_attempts(job_id: JobIdDep, caller: CallerDep, service: JobServiceDep) -> AttemptList:
    """Every ended execution of the job: when, where, how it ended."""
    return AttemptList.of(await service.list_attempts(job_id, caller.reach))


async def cancel_job(job_id: JobIdDep, caller: CallerDep, service: JobServiceDep, response: Response) -> CancelledJob:
    """Stop the job: 200 when it has stopped, 202 when its worker was asked to, 409 when it ended before."""
    cancelled = await service.cancel(job_id, caller.reach)
    if cancelled.outcome is CancelOutcome.REQUESTED:
        response.status_code = _ACCEPTED
    describe(response, cancelled.job)
    return CancelledJob.of_cancelled(cancelled)


async def retry_job(
    job_id: JobIdDep,
    caller: CallerDep,
    service: JobServiceDep,
    request: Request,
    response: Response,
    body: RetryRequest | None = None,
) -> JobRead:
    """Queue a failed, cancelled or expired job again with fresh budgets, and with another payload when one is given.

    409 when it is none of these.
    """
    try:
        job = await service.retry(job_id, caller.reach, body.payload if body else None)
    except ValidationError as error:
        wrong = [{**item, "loc": ("body", "payload", *item["loc"])} for item in error.errors(include_url=False)]
        raise RequestValidationError(wrong) from error
    response.headers["Location"] = request.url.path.removesuffix("/retry")
    describe(response, job)
    return JobRead.of(job, await service.find_lanes(job))


def _has_changed(job: Job, *, since: str) -> bool:
    return not matches(etag_of(job), since)
