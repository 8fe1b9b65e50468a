"""/jobs: submit work, follow it, stop it."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response, status
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from api.dependencies import CallerDep, JobServiceDep, RequestIdDep
from api.preferences import name_async
from api.v1.job.bulk_schema import RetryRequest
from api.v1.job.dependencies import JobFilterDep, JobIdDep, WaitDep
from api.v1.job.etag import etag_of, matches
from api.v1.job.idempotency import REPLAYED, IdempotencyDep
from api.v1.job.request_schema import SubmitRequest
from api.v1.job.request_union import build_request_union
from api.v1.job.schema import (
    AttemptList,
    CancelledJob,
    JobPage,
    JobRead,
    JobSummary,
    KindList,
    KindRead,
    SubmittedJob,
)
from api.v1.job.service import has_ended
from common.database.model import Job
from common.queue.catalog import Catalog
from common.queue.client import CancelOutcome

_POLL_SECONDS = "1"
_ACCEPTED = status.HTTP_202_ACCEPTED
_ROUTE = "POST /api/v1/jobs"


def create_router(catalog: Catalog) -> APIRouter:
    """The routes; the body of a submit is made from the catalogue's public kinds."""
    router = APIRouter(prefix="/jobs", tags=["jobs"])
    submit = _create_submit(build_request_union(catalog.public()))
    answers: dict[int | str, dict[str, Any]] = {200: {"model": SubmittedJob}}
    router.post("", status_code=_ACCEPTED, responses=answers, response_model_exclude_unset=True)(submit)
    router.get("")(list_jobs)
    router.get("/kinds")(list_kinds)
    router.get("/{job_id}", response_model=JobRead, responses={304: {"description": "Not changed"}})(get_job)
    router.get("/{job_id}/attempts")(list_attempts)
    router.post("/{job_id}/cancel", responses={202: {"model": CancelledJob}})(cancel_job)
    router.post("/{job_id}/retry", status_code=_ACCEPTED)(retry_job)
    return router


def _create_submit(union: Any) -> Callable[..., Awaitable[SubmittedJob]]:
    async def submit(
        body: SubmitRequest,
        caller: CallerDep,
        service: JobServiceDep,
        request_id: RequestIdDep,
        wait: WaitDep,
        idempotency: IdempotencyDep,
        request: Request,
        response: Response,
    ) -> SubmittedJob:
        """Accept a job and answer 202 at once; with `Prefer: wait=N`, 200 when it ends within N seconds."""
        key = await idempotency.request_key(_ROUTE)
        submitted = await service.submit(body.kind, body.payload, caller.owner, body.options(request_id), key)
        if wait:
            job = await service.wait_after_submit(submitted.job, caller.owner, wait)
            submitted = replace(submitted, job=job)
        if submitted.is_replayed:
            response.headers[REPLAYED] = "true"
        response.headers["Location"] = f"{request.url.path}/{submitted.job.id}"
        # A replay answers as the first request did, and that one could not know the end unless it waited.
        is_over = has_ended(submitted.job) and (wait or not submitted.is_replayed)
        response.status_code = status.HTTP_200_OK if is_over else _ACCEPTED
        _describe(response, submitted.job, wait)
        if not is_over:
            name_async(request, response)
        return SubmittedJob.of_submitted(submitted)

    # What FastAPI validates and documents is the annotation; type checkers see what all kinds share.
    submit.__annotations__["body"] = union
    return submit


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
    return JobPage(items=[JobSummary.of(job) for job in page.jobs], next_cursor=page.next_cursor)


async def list_kinds(caller: CallerDep, service: JobServiceDep) -> KindList:
    """Every kind of job that can be submitted, with the JSON Schema of its payload and result."""
    return KindList(items=[KindRead.of(kind) for kind in service.list_kinds()])


async def get_job(
    job_id: JobIdDep,
    caller: CallerDep,
    service: JobServiceDep,
    wait: WaitDep,
    response: Response,
    if_none_match: Annotated[str | None, Header()] = None,
) -> JobRead | Response:
    """One job. `Prefer: wait=N` holds the answer until it ended, or with `If-None-Match` until it changed."""
    is_done = has_ended if if_none_match is None else partial(_has_changed, since=if_none_match)
    job = await service.wait_until(job_id, caller.reach, wait, is_done)
    _describe(response, job, wait)
    if if_none_match is not None and not _has_changed(job, since=if_none_match):
        return Response(status_code=status.HTTP_304_NOT_MODIFIED, headers=dict(response.headers))
    return JobRead.of(job)


async def list_attempts(job_id: JobIdDep, caller: CallerDep, service: JobServiceDep) -> AttemptList:
    """Every ended execution of the job: when, where, how it ended."""
    return AttemptList.of(await service.list_attempts(job_id, caller.reach))


async def cancel_job(job_id: JobIdDep, caller: CallerDep, service: JobServiceDep, response: Response) -> CancelledJob:
    """Stop the job: 200 when it has stopped, 202 when its worker was asked to, 409 when it ended before."""
    cancelled = await service.cancel(job_id, caller.reach)
    if cancelled.outcome is CancelOutcome.REQUESTED:
        response.status_code = _ACCEPTED
    _describe(response, cancelled.job)
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
    _describe(response, job)
    return JobRead.of(job)


def _describe(response: Response, job: Job, wait: timedelta = timedelta(0)) -> None:
    response.headers["ETag"] = etag_of(job)
    if wait:
        response.headers["Preference-Applied"] = f"wait={int(wait.total_seconds())}"
    if not has_ended(job):
        response.headers["Retry-After"] = _POLL_SECONDS


def _has_changed(job: Job, *, since: str) -> bool:
    return not matches(etag_of(job), since)
