"""/auth/password: changing a password."""

from api.feature import feature_router
from api.v1.auth.dependencies import ClientDep, NoStore, PasswordDep, SignedInDep
from api.v1.auth.registration_router import in_language
from api.v1.auth.schema import LoginRead, MailRequest, MailSent, PasswordChange, PasswordReset

router = feature_router("/auth/password", tag="auth", dependencies=[NoStore])


@router.post("/change")
async def change_password(body: PasswordChange, who: SignedInDep, service: PasswordDep, client: ClientDep) -> LoginRead:
    """Replace the password. All sessions end; the answer begins a new one."""
    return LoginRead.of(await service.change(who, body.current_password, body.new_password, client))


@router.post("/forgot", status_code=202)
async def forget_password(body: MailRequest, service: PasswordDep, client: ClientDep) -> MailSent:
    """Ask for a mail with a code for /auth/password/reset. The answer is the same when there is no such account."""
    await service.forgot(body.email.strip().lower(), in_language(client, body.locale))
    return MailSent()


@router.post("/reset", status_code=204)
async def reset_password(body: PasswordReset, service: PasswordDep, client: ClientDep) -> None:
    """Replace the password with the code from a mail. All sessions end; sign in with the new password."""
    await service.reset(body.code, body.new_password, client)
