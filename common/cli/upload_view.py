"""A bar for a file that is being sent."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from common.cli.output import error_console, printable


@contextmanager
def showing_upload(path: Path) -> Iterator[BinaryIO]:
    """The file, opened; reading it moves a bar on a terminal."""
    console = error_console()
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with (
        Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress,
        progress.open(path, "rb", description=printable(path.name)) as file,
    ):
        yield file
