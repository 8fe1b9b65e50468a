"""What a page's shell code says, as lists of words, without running it."""

import re
import shlex
from collections.abc import Iterator

_ASSIGNMENT = re.compile(r"([A-Z][A-Z0-9_]*)=(.*)", re.DOTALL)
_SEPARATORS = frozenset("();|&")
_REDIRECTIONS = frozenset("<>")


def assignments(code: str) -> dict[str, str] | None:
    """Variables and values of a block that holds nothing else, or None."""
    words = shlex.split(code, comments=True)
    found = [_ASSIGNMENT.fullmatch(word) for word in words if word != "export"]
    return {match[1]: match[2] for match in found if match} if all(found) else None


def simple_commands(code: str) -> Iterator[list[str]]:
    """Each program with its arguments; assignments, files that are read or written and `uv run` are left out."""
    for line in code.replace("\\\n", " ").splitlines():
        words: list[str] = []
        rest = iter([*_words(line), ";"])
        for word in rest:
            if set(word) <= _REDIRECTIONS:
                next(rest)
            elif not set(word) <= _SEPARATORS:
                words.append(word)
            elif words:
                yield _program(words)
                words = []


def _words(line: str) -> list[str]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    return list(lexer)


def _program(words: list[str]) -> list[str]:
    while _ASSIGNMENT.fullmatch(words[0]) and len(words) > 1:
        words = words[1:]
    if words[:2] == ["uv", "run"]:
        words = words[2:]
    return [words[0].removeprefix(".venv/bin/"), *words[1:]]
