"""What all processes print, as one stream: aligned names, one colour each, and everything kept in a file."""

from collections.abc import Collection
from pathlib import Path

from loguru import logger
from rich.console import Console
from rich.text import Text

from common.log_file import open_private

_COLOURS = ("cyan", "green", "magenta", "yellow", "blue", "bright_cyan", "bright_green", "bright_magenta")
# How the supervisor's own remarks begin; a person wants those of every process.
_REMARKS = ("ended with ", "not started again", "did not stop", "after its end")


class LogStream:
    """A supervisor's sink. Never raises: a terminal that went away must not block the processes.

    Lines of the names in `quiet` go only to the file, `log_dir`/servers.log.
    """

    def __init__(self, console: Console, *, quiet: Collection[str] = (), log_dir: Path | None = None) -> None:
        self._console = console
        self._quiet = frozenset(quiet)
        self._styles: dict[str, str] = {}
        self._width = 0
        self._is_open = True
        logger.remove()
        self._log = logger.bind()
        if log_dir is not None:
            logger.add(
                log_dir / "servers.log",
                format="{time:YYYY-MM-DD HH:mm:ss.SSS} | {extra[process_name]:<10} | {message}",
                rotation="100 MB",
                retention="30 days",
                compression="gz",
                opener=open_private,
                filter=lambda record: "process_name" in record["extra"],
            )

    def expect(self, *names: str) -> None:
        """Make room for these names, and give each its colour."""
        for name in names:
            self._styles.setdefault(name, _COLOURS[len(self._styles) % len(_COLOURS)])
            self._width = max(self._width, len(name))

    def __call__(self, name: str, line: str) -> None:
        is_quiet = name in self._quiet
        if is_quiet:
            self._log.bind(process_name=name).info("{}", line)
        if is_quiet and not line.startswith(_REMARKS):
            return
        self.expect(name)
        text = Text.assemble((f"{name:<{self._width}}", self._styles[name]), (" │ ", "dim"))
        self.print(text.append_text(Text.from_ansi(line)))

    def print(self, *values: object) -> None:
        """Print on the console for as long as somebody is there."""
        if not self._is_open:
            return
        try:
            self._console.print(*values, soft_wrap=True)
        except OSError:
            self._is_open = False
