"""What providers say that a call came to."""

from collections.abc import Mapping
from typing import Any

from common.ports import Usage

# More than any model reads: what is over it is a mistake, or the provider of somebody who wants to break us.
_MOST_TOKENS = 10**9


def read_usage(told: Any) -> Usage | None:
    """The tokens of a call; None when the provider says nothing of use, so that they are guessed.

    What it counts in the total alone, as some do with what a model thinks, was written.
    """
    if not isinstance(told, Mapping):
        return None
    try:
        read, written = _count(told, "prompt_tokens"), _count(told, "completion_tokens")
        written = max(written, _count(told, "total_tokens") - read)
        cached = _count(told.get("prompt_tokens_details") or {}, "cached_tokens")
    except (ValueError, AttributeError):
        return None
    if not read + written:
        return None
    return Usage(input_tokens=read, output_tokens=written, total_tokens=read + written, cached_tokens=min(cached, read))


def _count(told: Mapping[str, Any], name: str) -> int:
    number = told.get(name) or 0
    if not isinstance(number, int | float) or int(number) != number or not 0 <= number <= _MOST_TOKENS:
        raise ValueError(f"{name} is no number of tokens")
    return int(number)
