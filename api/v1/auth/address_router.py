"""/auth/email: changing the address of an account."""

from api.feature import feature_router
from api.v1.auth.dependencies import AddressDep, ClientDep, NoStore, SignedInDep
from api.v1.auth.registration_router import in_language
from api.v1.auth.schema import AccountRead, CodeRequest, EmailChange, MailSent

router = feature_router("/auth/email", tag="auth", dependencies=[NoStore])


@router.post("/change", status_code=202)
async def change_email(body: EmailChange, who: SignedInDep, service: AddressDep, client: ClientDep) -> MailSent:
    """Ask for another address. A mail to it brings the code for /auth/email/change/confirm."""
    await service.request(who, body.new_email, body.password, in_language(client, body.locale))
    return MailSent()


@router.post("/change/confirm")
async def confirm_email(body: CodeRequest, service: AddressDep, client: ClientDep) -> AccountRead:
    """Give the account its new address. All sessions end but the one that asked."""
    return AccountRead.of(await service.confirm(body.code, client))
