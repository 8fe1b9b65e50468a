"""The Prefer header (RFC 7240): what a client would like, as far as we know it."""

import re
from collections.abc import Iterator, Sequence
from datetime import timedelta

_SECONDS = re.compile(r"\d{1,9}")


def parse_wait(headers: Sequence[str], *, limit: timedelta) -> timedelta:
    """How long the caller would wait, at most `limit`; zero without a usable `wait=N`.

    Preferences we do not know, and values that make no sense, are ignored, as the standard asks.
    """
    for name, value in _preferences(headers):
        if name == "wait":
            return min(timedelta(seconds=int(value)), limit) if _SECONDS.fullmatch(value) else timedelta(0)
    return timedelta(0)


def _preferences(headers: Sequence[str]) -> Iterator[tuple[str, str]]:
    for part in ",".join(headers).split(","):
        name, _, value = part.partition(";")[0].partition("=")
        yield name.strip().lower(), value.strip().strip('"')
