"""Who a request comes from: a user's token, the service's ACCESS_TOKEN, or nobody at all where that is allowed."""

from dataclasses import dataclass
from hmac import compare_digest
from uuid import UUID

from api.config import ApiSettings, is_loopback
from api.security import AccessTokens
from common.database.model import Role
from common.database.session import Sessions
from common.errors import ForbiddenError, UnauthorizedError
from common.repository.job import Owner
from common.repository.user import DEFAULT_TENANT_ID, LOCAL_USER, SERVICE_USER, BuiltinUser, UserRepository

_MAX_TOKEN_LENGTH = 4096


@dataclass(frozen=True, slots=True)
class Caller:
    """A user whose identity was proved."""

    user_id: UUID
    tenant_id: UUID
    role: Role

    @property
    def owner(self) -> Owner:
        """The caller as the owner of objects."""
        return Owner(self.tenant_id, self.user_id)


class Authenticator:
    """Turns an Authorization header, or the token of a Socket.IO handshake, into a `Caller`."""

    def __init__(self, settings: ApiSettings, tokens: AccessTokens, sessions: Sessions, users: UserRepository) -> None:
        self._settings = settings
        self._tokens = tokens
        self._sessions = sessions
        self._users = users

    async def identify(self, authorization: str | None, *, host: str | None = None) -> Caller:
        """The caller of a request. A given token is always checked; `host` is the Host header.

        Raises `UnauthorizedError` with the reason, or `ForbiddenError` when a page of another site borrows the
        browser of somebody who runs an open server.
        """
        if authorization is None:
            return self.identify_anonymous(host=host)
        scheme, _, token = authorization.strip().partition(" ")
        if scheme.lower() != "bearer" or not token.strip() or " " in token.strip():
            raise UnauthorizedError("Invalid authorization header format")
        return await self.identify_token(token.strip())

    async def identify_token(self, token: str) -> Caller:
        """The user of a JWT, or the service account of ACCESS_TOKEN. Raises `UnauthorizedError`."""
        expected = self._settings.access_token
        if expected and compare_digest(token.encode(), expected.get_secret_value().encode()):
            return _builtin(SERVICE_USER)
        if len(token) > _MAX_TOKEN_LENGTH:
            raise UnauthorizedError("Invalid access token")
        claims = self._tokens.read(token)
        async with self._sessions() as db:
            user = await self._users.find(db, claims.user_id)
        if user is None or not user.is_active or user.token_version != claims.version:
            raise UnauthorizedError("Invalid access token")
        return Caller(user.id, user.tenant_id, Role(user.role))

    def identify_anonymous(self, *, host: str | None) -> Caller:
        """The local user, where ENVIRONMENT is open. Raises `UnauthorizedError` or `ForbiddenError`."""
        if not self._settings.environment.is_open:
            raise UnauthorizedError("Authorization header required")
        if not self._settings.allow_open_access_from_network and not is_loopback(_without_port(host or "")):
            raise ForbiddenError(
                "without a token this server answers only under 127.0.0.1 or localhost; "
                "sign in, or set ALLOW_OPEN_ACCESS_FROM_NETWORK=true"
            )
        return _builtin(LOCAL_USER)


def _builtin(user: BuiltinUser) -> Caller:
    return Caller(user.id, DEFAULT_TENANT_ID, user.role)


def _without_port(host: str) -> str:
    name, _, port = host.rpartition(":")
    return name if name and port.isdigit() else host
