"""Which mail server SMTP_URL names, and how the connection to it is protected."""

import ssl
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import unquote, urlsplit

_PORTS = {"smtp": 25, "smtps": 465}


class SmtpSecurity(StrEnum):
    """`auto`: TLS for smtps://, none on this machine, else STARTTLS, which the server must offer."""

    AUTO = "auto"
    TLS = "tls"
    STARTTLS = "starttls"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """A mail server. `security` is never `auto`."""

    host: str
    port: int
    username: str | None
    password: str | None
    security: SmtpSecurity

    def tls_context(self, ca_file: Path | None) -> ssl.SSLContext | None:
        """What the server's certificate is checked with; None without TLS. Raises `OSError` for a missing file."""
        if self.security is SmtpSecurity.NONE:
            return None
        context = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context


def parse_smtp_url(url: str, security: SmtpSecurity) -> SmtpServer:
    """The server of `smtp://user:password@host:587` or `smtps://…`.

    Raises `ValueError` for anything else, and for a password that would travel unprotected.
    """
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("must read smtp://user:password@host:587, or smtps://… for TLS from the first byte")
    is_local = _is_loopback(parts.hostname)
    if security is SmtpSecurity.AUTO:
        by_host = SmtpSecurity.NONE if is_local else SmtpSecurity.STARTTLS
        security = SmtpSecurity.TLS if parts.scheme == "smtps" else by_host
    elif parts.scheme == "smtps" and security is not SmtpSecurity.TLS:
        raise ValueError(f"is smtps://, but SMTP_SECURITY is {security}")
    if parts.username and security is SmtpSecurity.NONE and not is_local:
        raise ValueError("holds a password, and SMTP_SECURITY=none would send it unprotected")
    return SmtpServer(
        host=parts.hostname,
        port=parts.port or (587 if security is SmtpSecurity.STARTTLS else _PORTS[parts.scheme]),
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        security=security,
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
