"""The Prefer header (RFC 7240): what a client would like, as far as we know it."""

import re
from collections.abc import Iterator, Sequence
from datetime import timedelta

from fastapi import Request, Response

_APPLIED = "Preference-Applied"
_SECONDS = re.compile(r"\d{1,9}")


def parse_wait(headers: Sequence[str], *, limit: timedelta) -> timedelta:
    """How long the caller would wait, at most `limit`; zero without a usable `wait=N`.

    Preferences we do not know, and values that make no sense, are ignored, as the standard asks.
    """
    for name, value in _preferences(headers):
        if name == "wait":
            return min(timedelta(seconds=int(value)), limit) if _SECONDS.fullmatch(value) else timedelta(0)
    return timedelta(0)


def name_async(request: Request, response: Response) -> None:
    """Say of an answer that came before the end that `respond-async` was followed, if the caller asked for it."""
    headers = request.headers.getlist("prefer")
    if headers and any(name == "respond-async" for name, _ in _preferences(headers)):
        applied = response.headers.get(_APPLIED)
        response.headers[_APPLIED] = f"respond-async, {applied}" if applied else "respond-async"


def _preferences(headers: Sequence[str]) -> Iterator[tuple[str, str]]:
    for part in ",".join(headers).split(","):
        name, _, value = part.partition(";")[0].partition("=")
        yield name.strip().lower(), value.strip().strip('"')
