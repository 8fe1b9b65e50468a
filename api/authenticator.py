"""Who a request comes from: a user's token, a key, a job's token, ACCESS_TOKEN, or nobody where that is allowed."""

from hashlib import blake2b
from hmac import compare_digest
from time import time

from starlette.datastructures import Headers

from api.access_cache import AccessCache
from api.caller import Caller, JobGrant
from api.config import ApiSettings
from api.job_tokens import JobTokens
from api.security import AccessTokens
from common.api_keys import looks_like_api_key, parse_api_key
from common.database.model import Role
from common.database.session import Sessions
from common.errors import ForbiddenError, UnauthorizedError
from common.hosts import is_loopback
from common.repository.api_key import ApiKeyRepository
from common.repository.user import DEFAULT_TENANT_ID, LOCAL_USER, SERVICE_USER, BuiltinUser, UserRepository
from common.scopes import Scope

__all__ = ["Authenticator", "Caller", "read_authorization"]

_MAX_TOKEN_LENGTH = 4096
_INVALID = "Invalid access token"


class Authenticator:
    """Turns an Authorization header, or the token of a Socket.IO handshake, into a `Caller`.

    A token that was proved is remembered for ACCESS_CACHE_LIFETIME; `Revocations.announce` ends that at once.
    """

    def __init__(
        self,
        settings: ApiSettings,
        tokens: AccessTokens,
        job_tokens: JobTokens,
        sessions: Sessions,
        users: UserRepository,
        keys: ApiKeyRepository,
        cache: AccessCache,
    ) -> None:
        self._settings = settings
        self._tokens = tokens
        self._job_tokens = job_tokens
        self._sessions = sessions
        self._users = users
        self._keys = keys
        self._cache = cache
        secret = settings.access_token.get_secret_value() if settings.access_token else None
        self._service_digest = None if secret is None else _digest(secret)

    async def identify(self, authorization: str | None, *, host: str | None = None, fresh: bool = False) -> Caller:
        """The caller of a request. A given token is always checked; `host` is the Host header.

        `fresh` asks the database even when the token is remembered. Raises `UnauthorizedError` with the reason, or
        `ForbiddenError` when a page of another site borrows the browser of somebody who runs an open server.
        """
        if authorization is None:
            return self.identify_anonymous(host=host)
        scheme, _, rest = authorization.strip().partition(" ")
        token = rest.strip()
        if scheme.lower() != "bearer" or not token or " " in token:
            raise UnauthorizedError("Invalid authorization header format")
        return await self.identify_token(token, fresh=fresh)

    async def identify_token(self, token: str, *, fresh: bool = False) -> Caller:
        """Who a JWT, an API key or ACCESS_TOKEN stands for. Raises `UnauthorizedError`."""
        if len(token) > _MAX_TOKEN_LENGTH:
            raise UnauthorizedError(_INVALID)
        digest = _digest(token)
        # Digests have one length, so that nothing of ACCESS_TOKEN shows in how long this takes.
        if self._service_digest is not None and compare_digest(digest, self._service_digest):
            return _SERVICE
        if not fresh and (known := self._cache.find(digest)) is not None:
            return known
        generation = self._cache.generation
        if looks_like_api_key(token):
            caller, valid_for = await self._identify_key(token)
        elif self._job_tokens.claims_to_be_one(token):
            caller, valid_for = await self._identify_job_token(token)
        else:
            caller, valid_for = await self._identify_user(token)
        self._cache.put(digest, caller, generation=generation, valid_for=valid_for)
        return caller

    def identify_anonymous(self, *, host: str | None) -> Caller:
        """The local user, where ENVIRONMENT is open. Raises `UnauthorizedError` or `ForbiddenError`."""
        if not self._settings.environment.is_open:
            raise UnauthorizedError("Authorization header required")
        if not self._settings.allow_open_access_from_network and not is_loopback(_without_port(host or "")):
            raise ForbiddenError(
                "without a token this server answers only under 127.0.0.1 or localhost; "
                "sign in, or set ALLOW_OPEN_ACCESS_FROM_NETWORK=true"
            )
        return _LOCAL

    async def _identify_user(self, token: str) -> tuple[Caller, float | None]:
        claims = self._tokens.read(token)
        async with self._sessions() as db:
            user = await self._users.find_signed_in(db, claims.user_id, claims.session_id)
        if user is None or not user.is_active or user.token_version != claims.version:
            raise UnauthorizedError(_INVALID)
        caller = Caller(user.id, user.tenant_id, Role(user.role), session_id=claims.session_id)
        return caller, claims.expires_at.timestamp() - time()

    async def _identify_key(self, text: str) -> tuple[Caller, float | None]:
        """The owner of an API key, narrowed to the key's scopes."""
        given = parse_api_key(text)
        if given is None:
            raise UnauthorizedError(_INVALID)
        async with self._sessions.begin() as db:
            found = await self._keys.find_by_prefix(db, given.prefix)
            if found is None or not compare_digest(found[0].secret_hash, given.secret_hash):
                raise UnauthorizedError(_INVALID)
            key, user = found
            await self._keys.note_use(db, key)
        scopes = frozenset(Scope(scope) for scope in key.scopes if scope in Scope)
        caller = Caller(user.id, user.tenant_id, Role(user.role), scopes=scopes, key_id=key.id)
        return caller, None if key.expires_at is None else key.expires_at.timestamp() - time()

    async def _identify_job_token(self, token: str) -> tuple[Caller, float | None]:
        """Who made the token, narrowed to one job. It ends with the session or key that it was made with."""
        claims = self._job_tokens.read(token)
        async with self._sessions() as db:
            if claims.sid is None:
                user = await self._users.find(db, claims.sub)
            else:
                user = await self._users.find_signed_in(db, claims.sub, claims.sid)
            has_key = claims.key is None or await self._keys.is_valid(db, claims.key, claims.ten)
        if user is None or not user.is_active or user.token_version != claims.ver or not has_key:
            raise UnauthorizedError(_INVALID)
        if user.tenant_id != claims.ten:
            raise UnauthorizedError(_INVALID)
        grant = JobGrant(claims.job, claims.own, frozenset(claims.act))
        caller = Caller(user.id, user.tenant_id, Role(user.role), grant=grant)
        return caller, claims.exp - time()


def read_authorization(headers: Headers) -> str | None:
    """The one Authorization header.

    Raises `UnauthorizedError` when there are several: a proxy may look at another one than we.
    """
    given = headers.getlist("authorization")
    if len(given) > 1:
        raise UnauthorizedError("Invalid authorization header format")
    return given[0] if given else None


def _digest(token: str) -> bytes:
    return blake2b(token.encode("utf-8", "surrogatepass"), digest_size=32).digest()


def _builtin(user: BuiltinUser) -> Caller:
    return Caller(user.id, DEFAULT_TENANT_ID, user.role)


_SERVICE, _LOCAL = _builtin(SERVICE_USER), _builtin(LOCAL_USER)


def _without_port(host: str) -> str:
    name, _, port = host.rpartition(":")
    return name if name and port.isdigit() else host
