"""/jobs/batch and /batches: many jobs in one request."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Request, Response, status

from api.dependencies import BatchServiceDep, CallerDep, RequestIdDep, SettingsDep
from api.exception_handlers import describe_app_error, describe_validation
from api.feature import feature_router
from api.problem import Problem
from api.v1.batch.schema import BatchItem, BatchRead, BatchRequest, BatchSubmitted, WrongItem, build_batch_request
from api.v1.job.bulk_schema import CancelledRead
from api.v1.job.idempotency import REPLAYED, IdempotencyDep
from api.v1.job.request_union import build_request_union
from api.v1.job.schema import SubmittedSummary
from api.v1.job.service import has_ended
from common.errors import AppError, InvalidError, NotFoundError
from common.queue.catalog import Catalog
from common.queue.placement import Placed

_ACCEPTED = status.HTTP_202_ACCEPTED
_ROUTE = "POST /api/v1/jobs/batch"


def create_router(catalog: Catalog) -> APIRouter:
    """The routes; the body of a batch is made from the catalogue's public kinds."""
    router = feature_router(tag="batches")
    submit = _create_submit(build_batch_request(build_request_union(catalog)))
    router.post("/jobs/batch", status_code=_ACCEPTED, response_model_exclude_unset=True)(submit)
    router.get("/batches/{batch_id}")(get_batch)
    router.post("/batches/{batch_id}/cancel", responses={202: {"model": CancelledRead}})(cancel_batch)
    return router


async def get_batch_id(batch_id: Annotated[str, Path(description="The batch's id.")]) -> UUID:
    """The id from the path. A text that cannot be an id belongs to no batch."""
    try:
        parsed = UUID(batch_id)
    except ValueError:
        parsed = None
    if parsed is None or str(parsed) != batch_id.lower():
        raise NotFoundError(f"batch {batch_id[:64]} does not exist")
    return parsed


BatchIdDep = Annotated[UUID, Depends(get_batch_id)]


def _create_submit(body_type: Any) -> Callable[..., Awaitable[BatchSubmitted]]:
    async def submit_batch(
        body: BatchRequest,
        caller: CallerDep,
        service: BatchServiceDep,
        settings: SettingsDep,
        request_id: RequestIdDep,
        idempotency: IdempotencyDep,
        request: Request,
        response: Response,
    ) -> BatchSubmitted:
        """Accept many jobs in one transaction. Each item has its own outcome; one bad item never sinks the others."""
        if len(body.jobs) > (limit := settings.max_batch_items):
            raise InvalidError(f"MAX_BATCH_ITEMS allows {limit} jobs, not {len(body.jobs)}", path=("body", "jobs"))
        right = [item for item in body.jobs if not isinstance(item, WrongItem)]
        batch = await service.submit(
            right,
            caller.owner,
            request_id=request_id,
            metadata=body.metadata,
            key=await idempotency.request_key(_ROUTE),
        )
        response.headers["Location"] = f"/api/v1/batches/{batch.batch.id}"
        response.headers["Retry-After"] = "1"
        if batch.is_replayed:
            response.headers[REPLAYED] = "true"
        return BatchSubmitted(id=batch.batch.id, items=_describe_items(request, body.jobs, batch.items))

    # What FastAPI validates and documents is the annotation; type checkers see what all kinds share.
    submit_batch.__annotations__["body"] = body_type
    return submit_batch


def _describe_items(
    request: Request, given: Sequence[object], outcomes: Sequence[Placed | AppError]
) -> list[BatchItem]:
    left = iter(outcomes)
    items = []
    for index, item in enumerate(given):
        outcome = item if isinstance(item, WrongItem) else next(left)
        match outcome:
            case WrongItem():
                items.append(_refused(describe_validation(request, outcome.error, outcome.body), index))
            case Placed():
                code = status.HTTP_200_OK if has_ended(outcome.job) and not outcome.is_new else _ACCEPTED
                items.append(BatchItem(status=code, job=SubmittedSummary.of_placed(outcome)))
            case _:
                items.append(_refused(describe_app_error(request, outcome), index))
    return items


def _refused(problem: Problem, index: int) -> BatchItem:
    """Paths lead to the item inside the request."""
    errors = [
        each.model_copy(update={"path": ["body", "jobs", index, *each.path[1:]]}) for each in problem.errors or []
    ]
    shown = problem.model_dump(exclude_none=True, exclude={"errors"}) | ({"errors": errors} if errors else {})
    return BatchItem(status=problem.status, error=Problem(**shown))


async def get_batch(batch_id: BatchIdDep, caller: CallerDep, service: BatchServiceDep) -> BatchRead:
    """How many jobs of the batch have each status."""
    return BatchRead.of(*await service.get(batch_id, caller.reach))


async def cancel_batch(
    batch_id: BatchIdDep, caller: CallerDep, service: BatchServiceDep, response: Response
) -> CancelledRead:
    """Stop every job of the batch that has not ended; 202 when workers were asked to stop running ones."""
    done = await service.cancel(batch_id, caller.reach)
    if done.requested:
        response.status_code = _ACCEPTED
    return CancelledRead.model_validate(done)
