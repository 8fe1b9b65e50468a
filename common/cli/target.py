"""Which api a command talks to, and as whom."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import typer

from common.cli.exits import CommandError
from common.cli.surroundings import data_dir_of, read_environment
from common.embedded.files import write_atomically
from common.embedded.state import read_run_state

_DEFAULT_URL = "http://127.0.0.1:8000"


@dataclass(frozen=True, slots=True)
class Target:
    """The api's address, without a slash at its end, and the token, if there is one."""

    url: str
    token: str | None


def find_target(url: str | None = None) -> Target:
    """`url`, else LETUIN_URL, else the `letuin up` of this folder, else port 8000 of this machine.

    The token is LETUIN_TOKEN, else the one that `letuin login` kept for that address.
    """
    environ = read_environment()
    chosen = (url or environ.get("LETUIN_URL") or _running_url(environ) or _DEFAULT_URL).rstrip("/")
    if not chosen.startswith(("http://", "https://")):
        raise CommandError(f"The api's address {chosen!r} must begin with http:// or https://.")
    return Target(chosen, environ.get("LETUIN_TOKEN") or _read_tokens().get(chosen))


def keep_token(url: str, token: str) -> Path:
    """Keep the token for this address, readable by this user only. Returns the file."""
    path = _token_file()
    tokens = {**_read_tokens(), url: token}
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(path, json.dumps(tokens, indent=2) + "\n")
    except OSError as error:
        raise CommandError(
            f"The token cannot be kept in {path} ({error.strerror}): use LETUIN_TOKEN instead."
        ) from error
    return path


def _running_url(environ: Mapping[str, str]) -> str | None:
    state = read_run_state(data_dir_of(environ))
    return state.api_url if state else None


def _token_file() -> Path:
    return Path(typer.get_app_dir("letuin")) / "tokens.json"


def _read_tokens() -> dict[str, str]:
    try:
        tokens = json.loads(_token_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return tokens if isinstance(tokens, dict) else {}
