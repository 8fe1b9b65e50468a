"""Which addresses may be called on behalf of users: public ones, and private ranges that ops have named."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

from common.errors import InvalidError

type Address = IPv4Address | IPv6Address
type Network = IPv4Network | IPv6Network

_MAX_URL = 2000
_NAT64 = IPv6Network("64:ff9b::/96")


def is_allowed(address: Address, private: Sequence[Network]) -> bool:
    """Whether it is public, also as what it stands for (IPv4 inside IPv6), or in one of the named ranges."""
    inner = _embedded(address)
    if any(each in network for each in (address, inner or address) for network in private):
        return True
    return all(each.is_global and not each.is_multicast and not each.is_reserved for each in (inner or address,))


def check_url(url: str, private: Sequence[Network]) -> str:
    """The URL of an endpoint, as far as it can be judged without resolving its name. Raises `InvalidError`.

    Plain http needs a private range: everybody on the way could read and change it.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _refusal(str(error)) from error
    if parts.scheme not in ("https", "http") or not parts.hostname or len(url) > _MAX_URL or not url.isprintable():
        raise _refusal("must read https://host[:port]/path")
    if parts.username is not None or parts.password is not None or parts.fragment or " " in url or port == 0:
        raise _refusal("must hold neither a user name nor a fragment")
    if parts.scheme == "http" and not private:
        raise _refusal("must be https; http is for the ranges of WEBHOOK_PRIVATE_NETWORKS")
    try:
        literal = ip_address(parts.hostname)
    except ValueError:
        return url
    if not is_allowed(literal, private):
        raise _refusal("is not a public address, and not in WEBHOOK_PRIVATE_NETWORKS")
    return url


def _embedded(address: Address) -> IPv4Address | None:
    if not isinstance(address, IPv6Address):
        return None
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)


def _refusal(message: str) -> InvalidError:
    return InvalidError(f"the url {message}", path=("body", "url"))
