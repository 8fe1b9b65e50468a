"""/auth: signing in and out, and what people do with their accounts."""

from uuid import UUID

from api.feature import feature_router
from api.v1.auth.dependencies import AuthDep, ClientDep, NoStore, SignedInDep
from api.v1.auth.schema import LoginRead, LoginRequest, RefreshRequest, SessionList, SessionRead

router = feature_router("/auth", tag="auth", dependencies=[NoStore])


@router.post("/login")
async def login(body: LoginRequest, service: AuthDep, client: ClientDep) -> LoginRead:
    """Exchange e-mail and password for an access token and a refresh token."""
    return LoginRead.of(await service.login(body.email, body.password, client))


@router.post("/refresh")
async def refresh(body: RefreshRequest, service: AuthDep, client: ClientDep) -> LoginRead:
    """Exchange a refresh token for the next pair.

    Each works once; sent again within REFRESH_OVERLAP it gives the same successor, later it ends the session.
    """
    return LoginRead.of(await service.refresh(body.refresh_token, client))


@router.post("/logout", status_code=204)
async def logout(who: SignedInDep, service: AuthDep, client: ClientDep) -> None:
    """End this session: its access and refresh tokens are worth nothing any more."""
    await service.logout(who, client)


@router.post("/logout-all", status_code=204)
async def logout_all(who: SignedInDep, service: AuthDep, client: ClientDep) -> None:
    """End every session of the user, this one included."""
    await service.logout_all(who, client)


@router.get("/sessions")
async def list_sessions(who: SignedInDep, service: AuthDep) -> SessionList:
    """Where the user is signed in."""
    sessions = await service.list_sessions(who)
    return SessionList(items=[SessionRead.of(session, who.session_id) for session in sessions])


@router.delete("/sessions/{session_id}", status_code=204)
async def end_session(session_id: UUID, who: SignedInDep, service: AuthDep, client: ClientDep) -> None:
    """End one session of the user."""
    await service.end_session(who, session_id, client)
