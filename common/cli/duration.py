"""Durations on the command line."""

import re

import typer

_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_FORM = re.compile(r"(\d+(?:\.\d+)?)([smhd]?)")


def parse_duration(text: str) -> float:
    """Seconds in a text such as `90`, `1.5s`, `5m`, `2h` or `1d`. Raises typer.BadParameter."""
    found = _FORM.fullmatch(text.strip())
    if found is None:
        raise typer.BadParameter(f"{text!r} is no duration; write 90, 90s, 5m, 2h or 1d")
    return float(found[1]) * _SECONDS[found[2]]
