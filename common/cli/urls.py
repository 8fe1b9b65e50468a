"""URLs of servers, as they may be shown."""

from urllib.parse import urlsplit


def place_of(url: str) -> str:
    """Host, port and path of a URL: where a server is, without user, password and options."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{host}{parts.path}" if host else "an address that is no URL"
