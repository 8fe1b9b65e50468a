"""/tenants: organisations and who belongs to them."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request, Response, status

from api.audit_trail import AuditTrailDep
from api.dependencies import CallerDep, TenantServiceDep
from api.feature import feature_router
from api.page_limit import PageLimitDep
from api.paging import CursorQuery, link_next
from api.path_ids import get_tenant_id, get_user_id
from api.v1.tenant.schema import MemberAdd, TenantPage, TenantRead, TenantWrite
from api.v1.user.schema import UserPage, UserRead
from common.database.model import Role
from common.dto.user import UserFilter

router = feature_router("/tenants", tag="tenants")
_TenantId = Annotated[UUID, Depends(get_tenant_id)]
_UserId = Annotated[UUID, Depends(get_user_id)]


@router.get("")
async def list_tenants(
    caller: CallerDep,
    service: TenantServiceDep,
    limit: PageLimitDep,
    request: Request,
    response: Response,
    cursor: CursorQuery = None,
) -> TenantPage:
    """Your tenant; for admins of the installation all of them, newest first."""
    page = await service.list_page(caller, cursor, limit)
    link_next(request, response, page.next_cursor)
    items = [TenantRead.model_validate(tenant) for tenant in page.items]
    return TenantPage(items=items, next_cursor=page.next_cursor)


@router.post("", status_code=status.HTTP_201_CREATED)
async def create_tenant(
    body: TenantWrite,
    caller: CallerDep,
    service: TenantServiceDep,
    trail: AuditTrailDep,
    request: Request,
    response: Response,
) -> TenantRead:
    """A new organisation, without members; for admins of the installation."""
    tenant = await service.create(caller, body.name)
    trail.note("tenant.create", f"tenant:{tenant.id}")
    response.headers["Location"] = f"{request.url.path}/{tenant.id}"
    return TenantRead.model_validate(tenant)


@router.get("/{tenant_id}")
async def get_tenant(tenant_id: _TenantId, caller: CallerDep, service: TenantServiceDep) -> TenantRead:
    """One organisation that you belong to."""
    return TenantRead.model_validate(await service.get(caller, tenant_id))


@router.patch("/{tenant_id}")
async def rename_tenant(
    tenant_id: _TenantId, body: TenantWrite, caller: CallerDep, service: TenantServiceDep, trail: AuditTrailDep
) -> TenantRead:
    """Give your organisation another name; for admins."""
    tenant = await service.rename(caller, tenant_id, body.name)
    trail.note("tenant.update", f"tenant:{tenant_id}")
    return TenantRead.model_validate(tenant)


@router.get("/{tenant_id}/members")
async def list_members(
    tenant_id: _TenantId,
    caller: CallerDep,
    service: TenantServiceDep,
    limit: PageLimitDep,
    request: Request,
    response: Response,
    role: Role | None = None,
    is_active: bool | None = None,
    is_service: bool | None = None,
    cursor: CursorQuery = None,
) -> UserPage:
    """Who belongs to the organisation, newest first; for operators and admins."""
    wanted = UserFilter(role, is_active, is_service, limit=limit)
    page = await service.list_members(caller, tenant_id, wanted, cursor)
    link_next(request, response, page.next_cursor)
    return UserPage(items=[UserRead.of(user) for user in page.items], next_cursor=page.next_cursor)


@router.post("/{tenant_id}/members", status_code=status.HTTP_201_CREATED)
async def add_member(
    tenant_id: _TenantId, body: MemberAdd, caller: CallerDep, service: TenantServiceDep, trail: AuditTrailDep
) -> UserRead:
    """Move a user into the organisation, which ends their keys and jobs; for admins of the installation."""
    user = await service.add_member(caller, tenant_id, body.user_id, body.role)
    trail.note("member.add", f"user:{user.id}", tenant=tenant_id, role=user.role)
    return UserRead.of(user)


@router.delete("/{tenant_id}/members/{user_id}", status_code=status.HTTP_204_NO_CONTENT)
async def remove_member(
    tenant_id: _TenantId, user_id: _UserId, caller: CallerDep, service: TenantServiceDep, trail: AuditTrailDep
) -> None:
    """Move a user out of the organisation, back to the installation's own, which ends keys and jobs; for admins."""
    user = await service.remove_member(caller, tenant_id, user_id)
    trail.note("member.remove", f"user:{user.id}", tenant=tenant_id)
