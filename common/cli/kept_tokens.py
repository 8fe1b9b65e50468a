"""Tokens that `letuin login` keeps for each address, and renews while they can be renewed."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2
import typer

from common.cli.exits import CommandError
from common.embedded.files import write_atomically

_EARLY = 30.0
_TIMEOUT = httpx2.Timeout(5, connect=2)


def keep_tokens(url: str, answer: Mapping[str, Any]) -> Path:
    """Keep what the api at `url` answered to a login, readable by this user only. Returns the file."""
    kept = {
        "access_token": str(answer["access_token"]),
        "refresh_token": str(answer.get("refresh_token") or ""),
        "expires_at": time.time() + float(answer.get("expires_in") or 0),
    }
    return _write({**_read(), url: kept})


def forget_tokens(url: str) -> None:
    """Keep no token for this address any more."""
    _write({address: kept for address, kept in _read().items() if address != url})


def find_token(url: str) -> str | None:
    """The access token kept for this address, renewed when its time is nearly over and the api is there to do it."""
    kept = _read().get(url)
    if not isinstance(kept, dict):
        return kept if isinstance(kept, str) else None
    if kept.get("refresh_token") and time.time() > float(kept.get("expires_at") or 0) - _EARLY:
        kept = _renew(url, kept)
    return str(kept["access_token"])


def _renew(url: str, kept: dict[str, Any]) -> dict[str, Any]:
    """The next pair; the one there is when the api gives none. Commands that do this at once get the same pair."""
    try:
        answer = httpx2.post(
            f"{url}/api/v1/auth/refresh",
            json={"refresh_token": kept["refresh_token"]},
            timeout=_TIMEOUT,
            trust_env=httpx2.URL(url).host not in ("127.0.0.1", "localhost", "::1"),
        )
        pair = answer.json() if answer.is_success else None
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError):
        return kept
    if not isinstance(pair, dict) or "access_token" not in pair:
        return kept
    keep_tokens(url, pair)
    return pair


def _file() -> Path:
    return Path(typer.get_app_dir("letuin")) / "tokens.json"


def _read() -> dict[str, Any]:
    try:
        tokens = json.loads(_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return tokens if isinstance(tokens, dict) else {}


def _write(tokens: Mapping[str, Any]) -> Path:
    path = _file()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(path, json.dumps(tokens, indent=2) + "\n")
    except OSError as error:
        raise CommandError(
            f"The token cannot be kept in {path} ({error.strerror}): use LETUIN_TOKEN instead."
        ) from error
    return path
