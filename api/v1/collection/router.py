"""/collections: documents that are searched together."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import Header, Query, Request, Response, status

from api.audit_trail import AuditTrail, AuditTrailDep
from api.dependencies import CallerDep, RequestIdDep, SettingsDep
from api.feature import feature_router
from api.paging import link_next
from api.preferences import name_async, parse_wait
from api.v1.collection.dependencies import (
    CollectionIdDep,
    CollectionServiceDep,
    CursorQuery,
    LimitDep,
    NameQuery,
    SearchServiceDep,
)
from api.v1.collection.schema import (
    CollectionCreate,
    CollectionPage,
    CollectionRead,
    CollectionUpdate,
    SearchAnswer,
    SearchRequest,
)
from api.v1.job.answer import JSON, describe
from api.v1.job.idempotency import IdempotencyDep, mark_replayed
from api.v1.job.schema import JobRead, job_json
from api.v1.job.service import has_ended
from common.database.model import Visibility
from common.repository.collection import CollectionFilter

router = feature_router("/collections", tag="collections")

_LATE: dict[int | str, dict[str, Any]] = {
    202: {"model": JobRead, "description": "The search goes on; its job will have the passages."}
}


@router.post("", status_code=status.HTTP_201_CREATED)
async def create_collection(
    body: CollectionCreate,
    caller: CallerDep,
    service: CollectionServiceDep,
    idempotency: IdempotencyDep,
    trail: AuditTrailDep,
    request: Request,
    response: Response,
) -> CollectionRead:
    """Add a collection. 409 when your tenant has one of this name."""
    found, is_replayed = await service.create(caller.owner, body, await idempotency.key_of_path())
    made = CollectionRead.of(found, caller.owner)
    if made.visibility is Visibility.TENANT and not is_replayed:
        _note(trail, made)
    mark_replayed(response, is_replayed=is_replayed)
    response.headers["Location"] = f"{request.url.path}/{made.id}"
    return made


@router.get("")
async def list_collections(
    caller: CallerDep,
    service: CollectionServiceDep,
    request: Request,
    response: Response,
    limit: LimitDep,
    name: NameQuery = None,
    visibility: Annotated[
        Visibility | None, Query(description="`private`: yours alone; `tenant`: shared, also by you.")
    ] = None,
    cursor: CursorQuery = None,
) -> CollectionPage:
    """Your collections and those shared with your tenant, newest first."""
    page = await service.list_page(caller.owner, CollectionFilter(name, visibility, limit=limit), cursor)
    link_next(request, response, page.next_cursor)
    items = [CollectionRead.of(each, caller.owner) for each in page.items]
    return CollectionPage(items=items, next_cursor=page.next_cursor)


@router.get("/{collection_id}")
async def get_collection(
    collection_id: CollectionIdDep, caller: CallerDep, service: CollectionServiceDep
) -> CollectionRead:
    """One collection."""
    return CollectionRead.of(await service.get(collection_id, caller.owner), caller.owner)


@router.patch("/{collection_id}")
async def update_collection(
    collection_id: CollectionIdDep,
    body: CollectionUpdate,
    caller: CallerDep,
    service: CollectionServiceDep,
    trail: AuditTrailDep,
) -> CollectionRead:
    """Change your collection: its name, what it says of itself, who may read it.

    Operators and admins may make one private again that is shared with their tenant.
    """
    changed = CollectionRead.of(await service.update(caller, collection_id, body), caller.owner)
    if body.visibility is not None:
        _note(trail, changed)
    return changed


@router.delete("/{collection_id}", status_code=status.HTTP_204_NO_CONTENT)
async def delete_collection(collection_id: CollectionIdDep, caller: CallerDep, service: CollectionServiceDep) -> None:
    """Remove a collection with all of its documents. May be repeated."""
    await service.delete(collection_id, caller.owner)


@router.post("/{collection_id}/search", response_model=SearchAnswer, responses=_LATE)
async def search_collection(
    collection_id: CollectionIdDep,
    body: SearchRequest,
    caller: CallerDep,
    service: SearchServiceDep,
    settings: SettingsDep,
    request_id: RequestIdDep,
    idempotency: IdempotencyDep,
    request: Request,
    prefer: Annotated[list[str] | None, Header(description="`wait=N` seconds instead of SEARCH_WAIT.")] = None,
) -> Response:
    """The passages most alike to a text; 202 with the job when that takes longer than the caller waits."""
    wait = parse_wait(prefer, limit=settings.max_wait) if prefer else min(settings.search_wait, settings.max_wait)
    key = await idempotency.key_of_path()
    job, is_replayed = await service.search(collection_id, caller.owner, body, wait, request_id, key)
    if has_ended(job):
        answer = SearchAnswer(passages=(job.result or {})["passages"], job_id=job.id)
        response = Response(answer.model_dump_json(), media_type=JSON)
        mark_replayed(response, is_replayed=is_replayed)
        return response
    response = Response(job_json(job), status.HTTP_202_ACCEPTED, media_type=JSON)
    mark_replayed(response, is_replayed=is_replayed)
    response.headers["Location"] = f"/api/v1/jobs/{job.id}"
    describe(response, job, wait if prefer else timedelta(0))
    name_async(request, response)
    return response


def _note(trail: AuditTrail, collection: CollectionRead) -> None:
    """Who may read something is a matter of security, unlike what is in it."""
    event = "collection.share" if collection.visibility is Visibility.TENANT else "collection.unshare"
    trail.note(event, f"collection:{collection.id}", owner=collection.owner_id)
