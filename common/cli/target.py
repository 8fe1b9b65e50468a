"""Which api a command talks to, and as whom."""

from collections.abc import Mapping
from dataclasses import dataclass

from common.cli.exits import CommandError
from common.cli.kept_tokens import find_token
from common.cli.surroundings import data_dir_of, read_environment
from common.embedded.state import read_run_state

_DEFAULT_URL = "http://127.0.0.1:8000"


@dataclass(frozen=True, slots=True)
class Target:
    """The api's address, without a slash at its end, and the token, if there is one."""

    url: str
    token: str | None


def find_target(url: str | None = None, *, as_nobody: bool = False) -> Target:
    """`url`, else LETUIN_URL, else the `letuin up` of this folder, else port 8000 of this machine.

    The token is LETUIN_TOKEN, else the one that `letuin login` kept for that address; none `as_nobody`.
    """
    environ = read_environment()
    chosen = (url or environ.get("LETUIN_URL") or _running_url(environ) or _DEFAULT_URL).rstrip("/")
    if not chosen.startswith(("http://", "https://")):
        raise CommandError(f"The api's address {chosen!r} must begin with http:// or https://.")
    return Target(chosen, None if as_nobody else environ.get("LETUIN_TOKEN") or find_token(chosen))


def _running_url(environ: Mapping[str, str]) -> str | None:
    state = read_run_state(data_dir_of(environ))
    return state.api_url if state else None
