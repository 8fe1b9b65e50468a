"""Signed tokens (JWT, RFC 8725): one algorithm, one key a name, one type a purpose."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import jwt
from pydantic import BaseModel, ConfigDict, Field, Strict, ValidationError

from api.config import ApiSettings
from api.key_ring import KeyRing
from common.errors import UnauthorizedError
from common.ids import new_id

_ALGORITHM = "HS256"
_ACCESS_TYPE = "at+jwt"  # RFC 9068: keeps other tokens signed with the same key from passing as access tokens
_REQUIRED = ["iss", "aud", "sub", "exp", "nbf", "iat", "jti"]
_CLOCK_SKEW = timedelta(seconds=5)
_LONGEST_LIFETIME = timedelta(days=30)
_LONGEST_TOKEN = 4096

LooseUUID = Annotated[UUID, Strict(False)]


class Claims(BaseModel):
    """What every token of ours says; each kind of token adds its own claims. Nothing is coerced."""

    model_config = ConfigDict(strict=True, frozen=True)

    iss: str
    aud: str
    sub: LooseUUID
    exp: int
    nbf: int
    iat: int
    jti: LooseUUID


class TokenSigner:
    """Makes and checks tokens of any type. A token of one type never passes for another."""

    def __init__(self, settings: ApiSettings, keys: KeyRing) -> None:
        self._keys = keys
        self._issuer = settings.jwt_issuer
        self._audience = settings.jwt_audience

    def sign(self, token_type: str, subject: UUID, lifetime: timedelta, **claims: Any) -> str:
        """A signed token about `subject`, valid for `lifetime`, 30 days at most."""
        now = datetime.now(UTC)
        known = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": str(subject),
            "iat": now,
            "nbf": now,
            "exp": now + lifetime,
            "jti": str(new_id()),
        }
        key = self._keys.current
        return jwt.encode({**known, **claims}, key.secret, _ALGORITHM, headers={"typ": token_type, "kid": key.kid})

    def read[C: Claims](self, token_type: str, token: str, model: type[C]) -> C:
        """The claims of a token that is ours, of this type, and valid now. Raises `UnauthorizedError`."""
        try:
            return self._read(token_type, token, model)
        except (jwt.PyJWTError, ValidationError, ValueError, TypeError, OverflowError) as error:
            raise UnauthorizedError("Invalid access token") from error

    def _read[C: Claims](self, token_type: str, token: str, model: type[C]) -> C:
        if len(token) > _LONGEST_TOKEN or not _is_canonical(token):
            raise ValueError("not the text of a token")
        header = jwt.get_unverified_header(token)
        key = self._keys.find(header.get("kid"))
        if key is None or header != {"alg": _ALGORITHM, "typ": token_type, "kid": key.kid}:
            raise ValueError("another header than we write for this type")
        payload = jwt.decode(
            token,
            key.secret,
            algorithms=[_ALGORITHM],
            issuer=self._issuer,
            audience=self._audience,
            leeway=_CLOCK_SKEW,
            options={"require": _REQUIRED, "strict_aud": True},
        )
        claims = model.model_validate(payload)
        if not 0 < claims.exp - claims.iat <= _LONGEST_LIFETIME.total_seconds():
            raise ValueError("a lifetime that we give to no token")
        return claims


def _is_canonical(token: str) -> bool:
    """Whether each part is the one text of its bytes: base64 has spare bits that change nothing."""
    return all(urlsafe_b64encode(_decode(part)).rstrip(b"=") == part.encode() for part in token.split("."))


def _decode(part: str) -> bytes:
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))


@dataclass(frozen=True, slots=True)
class TokenClaims:
    """What a valid access token says. `version` must still be the user's `token_version`, the session be alive."""

    user_id: UUID
    version: int
    session_id: UUID
    expires_at: datetime


class _AccessClaims(Claims):
    ver: int = Field(ge=0)
    sid: LooseUUID


class AccessTokens:
    """Makes and checks the tokens that clients send with each request."""

    def __init__(self, settings: ApiSettings, signer: TokenSigner) -> None:
        self._signer = signer
        self.lifetime = settings.jwt_lifetime

    def issue(self, user_id: UUID, version: int, session_id: UUID) -> str:
        """A signed token for the user's session, valid for `lifetime`."""
        return self._signer.sign(_ACCESS_TYPE, user_id, self.lifetime, ver=version, sid=str(session_id))

    def read(self, token: str) -> TokenClaims:
        """The claims of a token that is ours and valid now. Raises `UnauthorizedError`."""
        claims = self._signer.read(_ACCESS_TYPE, token, _AccessClaims)
        return TokenClaims(claims.sub, claims.ver, claims.sid, datetime.fromtimestamp(claims.exp, UTC))
