"""Which settings decide about security, in one line of the log: comparable between processes, without secrets."""

import json
from hashlib import scrypt

from pydantic import SecretStr

from api.config import ApiSettings

_SHOWN = (
    "environment",
    "allow_open_access_from_network",
    "allow_stores_without_password",
    "allowed_hosts",
    "cors_origins",
    "trusted_proxies",
    "registration_enabled",
    "jwt_lifetime",
    "max_body_bytes",
    "rate_limit_per_user",
    "rate_limit_per_address",
    "rate_limit_window",
    "rate_limit_without_redis",
)
_HASHED = ("jwt_secret", "jwt_previous_secret", "access_token", "encryption_key", "encryption_previous_key")


def summarize(settings: ApiSettings) -> dict[str, object]:
    """The values by name, and a `fingerprint` that is equal where these and the secrets are equal."""
    known = settings.model_dump(mode="json", include=set(_SHOWN))
    shown = {name: known[name] for name in _SHOWN} | {"docs_access": settings.docs}
    secrets = [_text(getattr(settings, name)) for name in _HASHED]
    text = json.dumps([shown, secrets], sort_keys=True)
    # Slow on purpose: nobody should search for a short token by its fingerprint.
    fingerprint = scrypt(text.encode(), salt=b"letuin settings", n=2**14, r=8, p=1, dklen=8)
    return {**shown, "fingerprint": fingerprint.hex()}


def _text(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret else ""
