"""What the routes of accounts ask for."""

from typing import Annotated

from fastapi import Depends, Request, Response

from api.dependencies import CallerDep, RequestIdDep, from_state
from api.v1.auth.addresses import AddressService
from api.v1.auth.assembly import AccountServices
from api.v1.auth.client import Client, SignedIn
from api.v1.auth.passwords import PasswordService
from api.v1.auth.registration import RegistrationService
from api.v1.auth.service import AuthService
from common.errors import ForbiddenError
from common.mail.templates import MailLocale

_Accounts = Annotated[AccountServices, from_state("accounts")]


async def _auth(accounts: _Accounts) -> AuthService:
    return accounts.auth


async def _registration(accounts: _Accounts) -> RegistrationService:
    return accounts.registration


async def _passwords(accounts: _Accounts) -> PasswordService:
    return accounts.passwords


async def _addresses(accounts: _Accounts) -> AddressService:
    return accounts.addresses


async def get_client(request: Request, request_id: RequestIdDep) -> Client:
    """Where the request comes from; behind a proxy that is configured, what the proxy says."""
    language = request.headers.get("accept-language", "").lower()
    return Client(
        address=request.client.host if request.client else None,
        user_agent=request.headers.get("user-agent"),
        request_id=request_id,
        locale=MailLocale.KO if language.startswith("ko") else MailLocale.EN,
    )


async def get_signed_in(caller: CallerDep) -> SignedIn:
    """The session of the request. Raises `ForbiddenError` for keys, the service's token, and the local user."""
    if caller.session_id is None or caller.is_limited:
        raise ForbiddenError("this needs a session of a user: sign in with e-mail and password")
    return SignedIn(caller.owner, caller.session_id)


async def forbid_caching(response: Response) -> None:
    """Keep tokens out of every cache."""
    response.headers["Cache-Control"] = "no-store"


NoStore = Depends(forbid_caching)
AuthDep = Annotated[AuthService, Depends(_auth)]
RegistrationDep = Annotated[RegistrationService, Depends(_registration)]
PasswordDep = Annotated[PasswordService, Depends(_passwords)]
AddressDep = Annotated[AddressService, Depends(_addresses)]
ClientDep = Annotated[Client, Depends(get_client)]
SignedInDep = Annotated[SignedIn, Depends(get_signed_in)]
