"""What STORAGE_URL names."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"[A-Za-z0-9_-]+(?:/[A-Za-z0-9_-]+)*")


@dataclass(frozen=True, slots=True)
class StoragePlace:
    """A bucket, and a prefix that may be empty."""

    bucket: str
    prefix: str

    @classmethod
    def parse(cls, url: str) -> "StoragePlace":
        """The place of `s3://bucket[/prefix]`. Raises `ValueError`."""
        parts = urlsplit(url)
        prefix = parts.path.strip("/")
        is_plain = parts.scheme == "s3" and not (parts.query or parts.fragment)
        if not is_plain or not _BUCKET.fullmatch(parts.netloc) or (prefix and not _PREFIX.fullmatch(prefix)):
            raise ValueError("must read s3://bucket or s3://bucket/prefix; without it files are kept in DATA_DIR")
        return cls(parts.netloc, prefix)

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")
