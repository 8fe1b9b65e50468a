"""/users: who is signed in, and the people and services of a tenant."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request, Response, status

from api.audit_trail import AuditTrailDep
from api.dependencies import CallerDep, UserServiceDep
from api.feature import feature_router
from api.page_limit import PageLimitDep
from api.paging import CursorQuery, link_next
from api.path_ids import get_user_id
from api.v1.user.schema import UserCreate, UserPage, UserRead, UserUpdate
from common.database.model import Role
from common.dto.user import NewMember, UserChanges, UserFilter
from common.ids import new_id

router = feature_router("/users", tag="users")
_UserId = Annotated[UUID, Depends(get_user_id)]


@router.get("/me")
async def get_me(caller: CallerDep, service: UserServiceDep) -> UserRead:
    """The user that the request's token belongs to."""
    return UserRead.of(await service.get(caller, caller.user_id))


@router.get("")
async def list_users(
    caller: CallerDep,
    service: UserServiceDep,
    limit: PageLimitDep,
    request: Request,
    response: Response,
    role: Role | None = None,
    is_active: bool | None = None,
    is_service: bool | None = None,
    cursor: CursorQuery = None,
) -> UserPage:
    """The people and services of your tenant, newest first; for operators and admins."""
    page = await service.list_page(caller, UserFilter(role, is_active, is_service, limit=limit), cursor)
    link_next(request, response, page.next_cursor)
    return UserPage(items=[UserRead.of(user) for user in page.items], next_cursor=page.next_cursor)


@router.post("", status_code=status.HTTP_201_CREATED)
async def create_user(
    body: UserCreate,
    caller: CallerDep,
    service: UserServiceDep,
    trail: AuditTrailDep,
    request: Request,
    response: Response,
) -> UserRead:
    """Add a person, who chooses a password by mail, or a service account, which gets keys; for admins."""
    new = NewMember(new_id(), caller.tenant_id, body.role, body.email, body.name, body.is_service)
    user = await service.create(caller, new)
    trail.note("user.create", f"user:{user.id}", role=user.role, is_service=user.is_service)
    response.headers["Location"] = f"{request.url.path}/{user.id}"
    return UserRead.of(user)


@router.get("/{user_id}")
async def get_user(user_id: _UserId, caller: CallerDep, service: UserServiceDep) -> UserRead:
    """One user of your tenant; users see themselves only."""
    return UserRead.of(await service.get(caller, user_id))


@router.patch("/{user_id}")
async def update_user(
    user_id: _UserId, body: UserUpdate, caller: CallerDep, service: UserServiceDep, trail: AuditTrailDep
) -> UserRead:
    """Change your name; as an admin also anybody's role and activity, which counts at once."""
    user = await service.update(caller, user_id, UserChanges(body.name, body.role, body.is_active))
    trail.note("user.update", f"user:{user_id}", **body.model_dump(mode="json", exclude_unset=True))
    return UserRead.of(user)


@router.delete("/{user_id}", status_code=status.HTTP_204_NO_CONTENT)
async def delete_user(user_id: _UserId, caller: CallerDep, service: UserServiceDep, trail: AuditTrailDep) -> None:
    """Remove a user with sessions and keys, and stop their jobs; for admins. Ended jobs stay with the tenant."""
    await service.delete(caller, user_id)
    trail.note("user.delete", f"user:{user_id}")
