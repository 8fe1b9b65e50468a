"""What tables on the terminal are made of."""

from datetime import UTC, datetime

from rich.markup import escape
from rich.table import Table

from common.cli.output import printable

_UNITS = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))


def column_table(*names: str) -> Table:
    """An empty table without frames whose cells are never wrapped."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        table.add_column(name, no_wrap=True)
    return table


def age(text: str) -> str:
    """How long ago the ISO time was, in the largest unit that fits."""
    return span((datetime.now(UTC) - datetime.fromisoformat(text)).total_seconds())


def span(seconds: float) -> str:
    """A length of time in the largest unit that fits."""
    whole = max(0, int(seconds))
    return next(f"{whole // size} {unit}" for unit, size in _UNITS if whole >= size or size == 1)


def cell(value: object) -> str:
    """Any text, safe for the terminal."""
    return escape(printable(str(value)))
