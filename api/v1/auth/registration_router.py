"""/auth/register and /auth/verify-email: making an account."""

from dataclasses import replace

from api.feature import feature_router
from api.v1.auth.client import Client
from api.v1.auth.dependencies import ClientDep, NoStore, RegistrationDep
from api.v1.auth.schema import AccountRead, CodeRequest, MailRequest, MailSent, RegisterRequest
from common.mail.templates import MailLocale

router = feature_router("/auth", tag="auth", dependencies=[NoStore])


@router.post("/register", status_code=202)
async def register(body: RegisterRequest, service: RegistrationDep, client: ClientDep) -> MailSent:
    """Ask for an account. A mail brings the code for /auth/verify-email.

    The answer is the same when the address has an account.
    """
    await service.register(body.email, body.password, body.name, in_language(client, body.locale))
    return MailSent()


@router.post("/verify-email")
async def verify_email(body: CodeRequest, service: RegistrationDep, client: ClientDep) -> AccountRead:
    """Make the account that was asked for; the code proves that its mails are read."""
    return AccountRead.of(await service.verify(body.code, client))


@router.post("/verify-email/resend", status_code=202)
async def resend_verification(body: MailRequest, service: RegistrationDep, client: ClientDep) -> MailSent:
    """Send the mail with the code again, with another code."""
    await service.resend(body.email.strip().lower(), in_language(client, body.locale))
    return MailSent()


def in_language(client: Client, locale: MailLocale | None) -> Client:
    """The client, who wants to be written to in this language."""
    return client if locale is None else replace(client, locale=locale)
