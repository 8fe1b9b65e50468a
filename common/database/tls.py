"""TLS to PostgreSQL as everybody writes it, in libpq's URL parameters, which asyncpg does not take from SQLAlchemy."""

import ssl
from typing import Any
from urllib.parse import parse_qsl, urlsplit

_NAMES = frozenset({"sslmode", "sslrootcert", "sslcert", "sslkey"})
_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


def without_tls(url: str) -> str:
    """The URL without the parameters that `tls_arguments` reads."""
    place, _, query = url.partition("?")
    rest = "&".join(each for each in query.split("&") if each.partition("=")[0] not in _NAMES)
    return f"{place}?{rest}" if rest else place


def tls_arguments(url: str) -> dict[str, Any]:
    """asyncpg's arguments for `sslmode`, `sslrootcert` (default: what the system trusts), `sslcert` and `sslkey`.

    Raises `ValueError` for a mode that PostgreSQL does not know, `OSError` for files that cannot be read.
    """
    given = {name: value for name, value in parse_qsl(urlsplit(url).query) if name in _NAMES}
    if not given:
        return {}
    mode = given.get("sslmode", "prefer")
    if mode not in _MODES:
        raise ValueError(f"sslmode must be one of {', '.join(_MODES)}")
    if mode in ("disable", "allow", "prefer"):
        return {"ssl": mode}
    context = ssl.create_default_context(cafile=given.get("sslrootcert"))
    context.check_hostname = mode == "verify-full"
    if mode == "require" and "sslrootcert" not in given:  # encrypted, whoever answers: as libpq understands it
        context.verify_mode = ssl.CERT_NONE
    if "sslcert" in given:
        context.load_cert_chain(given["sslcert"], given.get("sslkey"))
    return {"ssl": context}
