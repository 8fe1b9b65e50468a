"""Passages as a prompt shows them, and the numbers by which an answer names them.

What stands in a document is a stranger's: it can neither begin another passage nor put a number into our mouth.
"""

import re

_NUMBERS = re.compile(r"\[(\d{1,3}(?:\s*,\s*\d{1,3})*)\]")


def quote_passage(number: int, title: str, text: str) -> str:
    """A line with the number and the title, then the text, each of its lines behind a `>`."""
    lines = [f"[{number}] {_without_numbers(' '.join(title.split()))}"]
    return "\n".join([*lines, *(f"> {line}" for line in _without_numbers(text).splitlines() if line.strip())])


def cited_numbers(answer: str, count: int) -> list[int]:
    """The numbers in brackets that name one of `count` passages, each once, in order."""
    numbers = [int(each) for group in _NUMBERS.findall(answer) for each in group.split(",")]
    return list(dict.fromkeys(number for number in numbers if 1 <= number <= count))


def _without_numbers(text: str) -> str:
    """What looks like a number of ours gets round brackets, so that an answer that copies it cites nothing."""
    return _NUMBERS.sub(r"(\1)", text)
