"""Files of jobs: one JSON object a line."""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.cli.exits import CommandError

_MAX_BYTES = 900_000  # MAX_BODY_BYTES is a mebibyte unless it was set


@dataclass(frozen=True, slots=True)
class BatchLine:
    """One job of a file, and the line it stands on (counted from 1)."""

    number: int
    job: Any


def read_lines(source: str, kind: str | None) -> list[BatchLine]:
    """The jobs of a file, or of stdin for `-`; with `kind` each line is a payload. Raises CommandError."""
    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{source} cannot be read: {error}.") from error
    values = [(number, _parse(source, number, line)) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not values:
        raise CommandError(f"{source} holds no jobs: write one JSON object a line.")
    return [BatchLine(number, {"kind": kind, "payload": value} if kind else value) for number, value in values]


def chunk(lines: Sequence[BatchLine], size: int) -> Iterator[Sequence[BatchLine]]:
    """The lines in pieces of at most `size`, each small enough for one request."""
    piece: list[BatchLine] = []
    room = _MAX_BYTES
    for line in lines:
        weight = len(json.dumps(line.job)) + 1
        if piece and (len(piece) == size or weight > room):
            yield piece
            piece, room = [], _MAX_BYTES
        piece.append(line)
        room -= weight
    yield piece


def _parse(source: str, number: int, line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise CommandError(f"{source}, line {number} is not JSON: {error}.") from error
