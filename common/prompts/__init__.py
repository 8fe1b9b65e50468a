"""Prompts, each version in a file of its own."""

from functools import cache
from importlib.resources import files


@cache
def load_prompt(name: str, version: int) -> str:
    """The text of `name`.v`version`.txt beside this file; it never changes, a better one gets another number."""
    return (files(__name__) / f"{name}.v{version}.txt").read_text("utf-8").strip()
