"""POST /jobs: accept a job."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from datetime import timedelta
from typing import Any

from fastapi import APIRouter, Request, Response, status
from fastapi.routing import APIRoute
from pydantic import TypeAdapter, ValidationError
from starlette.background import BackgroundTask

from api.dependencies import CallerDep, JobServiceDep, RequestIdDep, get_caller, get_request_id
from api.feature import feature_router
from api.middleware.json_body import is_json
from api.preferences import name_async
from api.v1.job.answer import JSON, describe
from api.v1.job.dependencies import WaitDep, get_wait
from api.v1.job.idempotency import REPLAYED, IdempotencyDep, get_idempotency
from api.v1.job.request_schema import SubmitRequest
from api.v1.job.request_union import build_request_union
from api.v1.job.schema import SubmittedJob, job_json
from api.v1.job.service import has_ended
from common.queue.catalog import Catalog
from common.queue.client import Submitted
from common.queue.waiting import Lanes

_ROUTE = "POST /api/v1/jobs"


def create_router(catalog: Catalog) -> APIRouter:
    """The route; its body is made from the catalogue's public kinds."""
    router = feature_router("/jobs", tag="jobs")
    router.add_api_route(
        "",
        _create_submit(build_request_union(catalog)),
        methods=["POST"],
        status_code=status.HTTP_202_ACCEPTED,
        response_model=SubmittedJob,
        responses={200: {"model": SubmittedJob}},
        route_class_override=SubmitRoute,
    )
    return router


class SubmitRoute(APIRoute):
    """Documented, and wherever anything is wrong also answered, by FastAPI; a good request takes the short way.

    The short way gives the same function the same arguments, without the search for what each of them depends on.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        whole = super().get_route_handler()
        bodies: TypeAdapter[SubmitRequest] = TypeAdapter(self.endpoint.__annotations__["body"])

        async def answer(request: Request) -> Response:
            body = await _read(request, bodies)
            if body is None:
                return await whole(request)
            state, headers = request.state, request.headers
            response: Response = await self.endpoint(
                body=body,
                caller=await get_caller(request, state.authenticator),
                service=state.jobs,
                request_id=await get_request_id(request),
                wait=await get_wait(state.settings, headers.getlist("prefer")),
                idempotency=await get_idempotency(request, state.settings, headers.getlist("idempotency-key")),
                request=request,
            )
            return response

        return answer


async def _read(request: Request, bodies: TypeAdapter[SubmitRequest]) -> SubmitRequest | None:
    """The body; None when it is for FastAPI to say what is wrong with it."""
    if not is_json(request.headers.get("content-type", "").encode("latin-1")):
        return None
    try:
        return bodies.validate_json(await request.body())
    except ValidationError:
        return None


def _create_submit(union: Any) -> Callable[..., Awaitable[Response]]:
    async def submit(
        body: SubmitRequest,
        caller: CallerDep,
        service: JobServiceDep,
        request_id: RequestIdDep,
        wait: WaitDep,
        idempotency: IdempotencyDep,
        request: Request,
    ) -> Response:
        """Accept a job and answer 202 at once; with `Prefer: wait=N`, 200 when it ends within N seconds."""
        key = await idempotency.request_key(_ROUTE)
        submitted = await service.submit(body.kind, body.payload, caller.owner, body.options(request_id), key)
        if wait:
            job = await service.wait_after_submit(submitted.job, caller.owner, wait)
            submitted = replace(submitted, job=job)
        return _answer(request, submitted, wait, await service.find_lanes(submitted.job))

    # What FastAPI validates and documents is the annotation; type checkers see what all kinds share.
    submit.__annotations__["body"] = union
    return submit


def _answer(request: Request, submitted: Submitted, wait: timedelta, lanes: Lanes | None) -> Response:
    job = submitted.job
    # A replay answers as the first request did, and that one could not know the end unless it waited.
    is_over = has_ended(job) and (bool(wait) or not submitted.is_replayed)
    more = {"deduplicated": True} if submitted.is_deduplicated else {}
    code = status.HTTP_200_OK if is_over else status.HTTP_202_ACCEPTED
    response = Response(job_json(job, lanes, **more), code, media_type=JSON)
    if submitted.is_replayed:
        response.headers[REPLAYED] = "true"
    response.headers["Location"] = f"{request.scope['path']}/{job.id}"
    describe(response, job, wait)
    if not is_over:
        name_async(request, response)
    if (announcement := submitted.announcement) is not None and not announcement.done():
        response.background = BackgroundTask(_see_through, announcement)
    return response


async def _see_through(announcement: asyncio.Future[None]) -> None:
    """The client need not wait until workers were told, but this process does before it ends."""
    await asyncio.shield(announcement)
