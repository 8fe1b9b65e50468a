"""Proof of who calls: the secret that signs, access tokens (JWT), and password checks off the event loop."""

import os
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from uuid import UUID

import jwt
from anyio import CapacityLimiter, to_thread

from api.config import ApiSettings
from common.errors import InvalidError, UnauthorizedError
from common.ids import new_id
from common.passwords import hash_password, needs_rehash, verify_password

_ALGORITHM = "HS256"
_TYPE = "at+jwt"  # RFC 9068: keeps other tokens signed with the same key from passing as access tokens
_CLAIMS = ["iss", "aud", "sub", "exp", "nbf", "iat", "jti", "ver"]
_CLOCK_SKEW_SECONDS = 5
_HASHES_AT_ONCE = 2  # each takes 19 MiB
_NO_USERS_HASH = "$argon2id$v=19$m=19456,t=2,p=1$IwTAGKNUyplTqpWy9r4Xgg$1Rb4y/gPsLwuhpeqcmh1PIJTW9g8VFHubKT1rLVpbRY"


@dataclass(frozen=True, slots=True)
class TokenClaims:
    """What a valid access token says. `version` must still be the user's `token_version`."""

    user_id: UUID
    version: int


class AccessTokens:
    """Makes and checks access tokens."""

    def __init__(self, settings: ApiSettings, secret: bytes) -> None:
        self._secret = secret
        self._issuer = settings.jwt_issuer
        self._audience = settings.jwt_audience
        self.lifetime = settings.jwt_lifetime

    def issue(self, user_id: UUID, version: int) -> str:
        """A signed token for the user, valid for `lifetime`."""
        now = datetime.now(UTC)
        claims = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": str(user_id),
            "iat": now,
            "nbf": now,
            "exp": now + self.lifetime,
            "jti": str(new_id()),
            "ver": version,
        }
        return jwt.encode(claims, self._secret, algorithm=_ALGORITHM, headers={"typ": _TYPE})

    def read(self, token: str) -> TokenClaims:
        """The claims of a token that is ours and valid now. Raises `UnauthorizedError`."""
        try:
            parsed = jwt.decode_complete(
                token,
                self._secret,
                algorithms=[_ALGORITHM],
                issuer=self._issuer,
                audience=self._audience,
                leeway=_CLOCK_SKEW_SECONDS,
                options={"require": _CLAIMS},
            )
            if parsed["header"].get("typ") != _TYPE:
                raise UnauthorizedError("Invalid access token")
            return TokenClaims(UUID(parsed["payload"]["sub"]), int(parsed["payload"]["ver"]))
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise UnauthorizedError("Invalid access token") from error


class PasswordChecker:
    """Checks passwords in threads, two at a time, so that logins stop neither the loop nor fill the memory."""

    def __init__(self) -> None:
        self._limiter = CapacityLimiter(_HASHES_AT_ONCE)

    async def matches(self, password: str, password_hash: str | None) -> bool:
        """Whether the password belongs to the hash. Takes as long when there is no hash, to tell no names."""
        work = partial(verify_password, password, password_hash or _NO_USERS_HASH)
        is_right = await to_thread.run_sync(work, limiter=self._limiter)
        return is_right and password_hash is not None

    async def rehash(self, password: str, password_hash: str) -> str | None:
        """A new hash when the stored one was made with weaker costs, else None."""
        if not needs_rehash(password_hash):
            return None
        return await to_thread.run_sync(hash_password, password, limiter=self._limiter)


def load_secret(settings: ApiSettings) -> bytes:
    """JWT_SECRET, or outside production one kept in the data folder, so that tokens outlive a restart.

    Raises `InvalidError` when the data folder cannot hold it.
    """
    if settings.jwt_secret is not None:
        return settings.jwt_secret.get_secret_value().encode()
    path = settings.data_dir / "jwt-secret"
    try:
        return _read_or_make(path)
    except OSError as error:
        raise InvalidError(
            f"DATA_DIR: {path} cannot be used ({error.strerror}); make the folder writable or set JWT_SECRET"
        ) from error


def _read_or_make(path: Path) -> bytes:
    """Several processes may start at once: the first whole file wins, the others read it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(48))
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    secret = path.read_bytes().strip()
    if len(secret) < 32:
        raise InvalidError(f"{path} holds no usable secret; delete it and start again")
    return secret
