"""The keys that sign tokens: the one of today, and for a while the one before."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from hmac import digest

from api.config import ApiSettings
from common.kept_secret import load_secret


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A secret and what tokens call it. After `valid_until` it proves nothing any more."""

    secret: bytes = field(repr=False)
    valid_until: datetime | None = None

    @property
    def kid(self) -> str:
        """The name of this key in token headers; it tells nothing about the secret."""
        return digest(self.secret, b"key-id", "sha256").hex()[:16]

    @property
    def is_valid(self) -> bool:
        """Whether the key may still prove anything."""
        return self.valid_until is None or datetime.now(UTC) < self.valid_until


class KeyRing:
    """JWT_SECRET, which signs, and JWT_PREVIOUS_SECRET, which is accepted until JWT_PREVIOUS_UNTIL."""

    def __init__(self, settings: ApiSettings, secret: bytes) -> None:
        self.current = SigningKey(secret)
        self._keys = [self.current]
        if settings.jwt_previous_secret is not None:
            previous = settings.jwt_previous_secret.get_secret_value().encode()
            self._keys.append(SigningKey(previous, settings.jwt_previous_until))

    def find(self, kid: object) -> SigningKey | None:
        """The valid key of this name; whatever else stands in a token's header is looked up nowhere."""
        return next((key for key in self.valid() if key.kid == kid), None)

    def valid(self) -> list[SigningKey]:
        """The keys that count now, the current one first."""
        return [key for key in self._keys if key.is_valid]


def load_jwt_secret(settings: ApiSettings) -> bytes:
    """JWT_SECRET, or outside production one kept in the data folder, so that tokens outlive a restart."""
    return load_secret(settings.jwt_secret, settings.data_dir / "jwt-secret", setting="JWT_SECRET")
