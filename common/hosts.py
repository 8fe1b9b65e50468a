"""What the host in an address or a URL says about who can reach it."""

from ipaddress import ip_address
from urllib.parse import parse_qs, urlsplit


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine only."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def is_open_store(url: str) -> bool:
    """Whether a store's URL names a server on another host and no password for it."""
    parts = urlsplit(url)
    if parts.password or "password" in parse_qs(parts.query):
        return False
    hosts = [_without_port(each) for each in parts.netloc.rpartition("@")[2].split(",")]
    return any(host and not is_loopback(host) for host in hosts)  # no host at all: a socket of this machine


def _without_port(host: str) -> str:
    name, _, port = host.rpartition(":")
    return name if name and port.isdigit() and not (":" in name and not name.endswith("]")) else host
