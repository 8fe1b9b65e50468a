"""/auth: signing in."""

from fastapi import APIRouter, Response

from api.dependencies import AccessTokensDep, AuthServiceDep
from api.v1.auth.schema import LoginRead, LoginRequest

router = APIRouter(prefix="/auth", tags=["auth"])


@router.post("/login")
async def login(body: LoginRequest, service: AuthServiceDep, tokens: AccessTokensDep, response: Response) -> LoginRead:
    """Exchange e-mail and password for an access token."""
    token = await service.login(body.email, body.password)
    response.headers["Cache-Control"] = "no-store"
    return LoginRead(access_token=token, expires_in=int(tokens.lifetime.total_seconds()))
