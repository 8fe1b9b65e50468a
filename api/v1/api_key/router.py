"""/api-keys: what programs sign in with."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query, Request, Response, status

from api.audit_trail import AuditTrailDep
from api.dependencies import ApiKeyServiceDep, CallerDep
from api.feature import feature_router
from api.page_limit import PageLimitDep
from api.paging import CursorQuery, link_next
from api.path_ids import get_key_id
from api.v1.api_key.schema import ApiKeyCreate, ApiKeyCreated, ApiKeyPage, ApiKeyRead
from api.v1.api_key.service import KeyRequest

router = feature_router("/api-keys", tag="api keys")
_KeyId = Annotated[UUID, Depends(get_key_id)]


@router.post("", status_code=status.HTTP_201_CREATED)
async def create_api_key(
    body: ApiKeyCreate,
    caller: CallerDep,
    service: ApiKeyServiceDep,
    trail: AuditTrailDep,
    request: Request,
    response: Response,
) -> ApiKeyCreated:
    """A new key. Its text is in this answer only: send it as `Authorization: Bearer ltn_…`."""
    expires_in = None if body.expires_in is None else timedelta(seconds=body.expires_in)
    key, text = await service.create(caller, KeyRequest(body.name, frozenset(body.scopes), expires_in, body.user_id))
    trail.note("key.create", f"key:{key.id}", owner_id=key.owner_id, scopes=sorted(body.scopes))
    response.headers["Location"] = f"{request.url.path}/{key.id}"
    response.headers["Cache-Control"] = "no-store"
    return ApiKeyCreated.with_text(key, text)


@router.get("")
async def list_api_keys(
    caller: CallerDep,
    service: ApiKeyServiceDep,
    limit: PageLimitDep,
    request: Request,
    response: Response,
    user_id: Annotated[UUID | None, Query(description="Of this user of your tenant; for admins.")] = None,
    cursor: CursorQuery = None,
) -> ApiKeyPage:
    """Your keys, newest first, without their secrets."""
    page = await service.list_page(caller, user_id, cursor, limit)
    link_next(request, response, page.next_cursor)
    return ApiKeyPage(items=[ApiKeyRead.of(key) for key in page.items], next_cursor=page.next_cursor)


@router.get("/{key_id}")
async def get_api_key(key_id: _KeyId, caller: CallerDep, service: ApiKeyServiceDep) -> ApiKeyRead:
    """One key, without its secret."""
    return ApiKeyRead.of(await service.get(caller, key_id))


@router.delete("/{key_id}", status_code=status.HTTP_204_NO_CONTENT)
async def revoke_api_key(key_id: _KeyId, caller: CallerDep, service: ApiKeyServiceDep, trail: AuditTrailDep) -> None:
    """End a key at once, for good. It stays in the list; doing it again changes nothing."""
    key = await service.revoke(caller, key_id)
    trail.note("key.revoke", f"key:{key.id}", owner_id=key.owner_id)
