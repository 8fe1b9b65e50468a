"""Who is at the other end of a request about an account."""

from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from uuid import UUID

from common.mail.templates import MailLocale
from common.repository.job import Owner


@dataclass(frozen=True, slots=True)
class Client:
    """Where a request comes from, and the language to write in."""

    address: str | None
    user_agent: str | None
    request_id: str
    locale: MailLocale

    @property
    def network(self) -> str:
        """What attempts are counted for: an IPv4 address, or the /64 that one IPv6 customer has."""
        try:
            address = ip_address((self.address or "").partition("%")[0])
        except ValueError:
            return self.address or "unknown"
        if isinstance(address, IPv6Address):
            mapped = address.ipv4_mapped
            return str(mapped) if mapped else f"{IPv6Address(int(address) >> 64 << 64)}/64"
        return str(address)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Somebody who signed in with a password, and the session of this request."""

    owner: Owner
    session_id: UUID
