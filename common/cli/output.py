"""Where text goes: answers to stdout, words about them to stderr; colours only on a terminal, never with NO_COLOR."""

import json
import os
import sys
from typing import Any

import typer
from rich.console import Console

_UNLIMITED = 10_000


class _LastingConsole(Console):
    """Falls silent when its reader goes away, instead of ending the process."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        # What is still buffered would fail once more when Python ends, as exit code 120.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def answer_console() -> Console:
    """The console for what was asked for."""
    return _adapt(Console(highlight=False))


def error_console() -> Console:
    """The console for progress, hints and errors."""
    return _adapt(Console(stderr=True, highlight=False))


def stream_console() -> Console:
    """The console of commands that run on, whether or not somebody still reads."""
    return _adapt(_LastingConsole(highlight=False))


def _adapt(console: Console) -> Console:
    if not console.is_terminal:
        # Whoever reads lines must not find them wrapped or cut.
        console.width = _UNLIMITED
    return console


def print_json(value: Any) -> None:
    """One JSON value on one line of stdout."""
    typer.echo(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def printable(text: str) -> str:
    """`text` without the control characters that could steer a terminal; line ends and tabs stay."""
    return "".join(char for char in text if char in "\n\t" or (char.isprintable() or char == "\u200d"))
