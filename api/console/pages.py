"""The built console: what stands in `static/`, as answers. Its sources are in the top-level folder `console/`."""

import gzip
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Self

STATIC = Path(__file__).parent / "static"
INDEX = "index.html"

_MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".md": "text/plain; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
_PACKED_ALREADY = frozenset({".woff2"})


@dataclass(frozen=True, slots=True)
class Page:
    """One file, ready to be sent; `packed` is its gzip where that is smaller."""

    media_type: str
    body: bytes
    packed: bytes | None
    etag: str

    @classmethod
    def of(cls, body: bytes, suffix: str) -> Self:
        """The file with this content and ending."""
        packed = None if suffix in _PACKED_ALREADY else gzip.compress(body, mtime=0)
        return cls(_MEDIA_TYPES[suffix], body, packed, f'"{sha256(body).hexdigest()[:32]}"')


@cache
def load_pages(features: frozenset[str], *, is_open: bool, may_register: bool) -> dict[str, Page]:
    """Every file by its path below /console/.

    The page itself is told which features this api has, whether it lets people in without a token, and whether
    strangers may make themselves an account.
    """
    told = {
        "letuin-features": " ".join(sorted(features)),
        "letuin-access": "open" if is_open else "token",
        "letuin-registration": "open" if may_register else "closed",
    }
    pages = {}
    for path in STATIC.rglob("*"):
        if path.suffix in _MEDIA_TYPES:
            name = path.relative_to(STATIC).as_posix()
            body = path.read_bytes()
            pages[name] = Page.of(_tell(body, told) if name == INDEX else body, path.suffix)
    return pages


def _tell(page: bytes, told: dict[str, str]) -> bytes:
    for name, value in told.items():
        page = page.replace(f'name="{name}" content=""'.encode(), f'name="{name}" content="{value}"'.encode())
    return page
