"""/users: who is signed in."""

from fastapi import APIRouter

from api.dependencies import CallerDep, UserServiceDep
from api.v1.user.schema import UserRead

router = APIRouter(prefix="/users", tags=["users"])


@router.get("/me")
async def get_me(caller: CallerDep, service: UserServiceDep) -> UserRead:
    """The user that the request's token belongs to."""
    return UserRead.model_validate(await service.get(caller.user_id))
