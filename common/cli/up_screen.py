"""What `letuin up` shows besides the logs: the steps of the start, and then where everything is."""

import shlex
from contextlib import suppress
from time import monotonic

from rich.console import Console
from rich.panel import Panel
from rich.status import Status
from rich.table import Table

from common.cli.log_stream import LogStream
from common.cli.surroundings import command_name, data_dir_of, read_environment
from common.cli.up_plan import UpPlan


class UpScreen:
    """Steps with their times; a spinner names the current one on a terminal."""

    def __init__(self, console: Console, stream: LogStream) -> None:
        self._console = console
        self._stream = stream
        self._status: Status | None = None
        self._started = monotonic()

    def step(self, text: str) -> None:
        """Say what is going on now."""
        if not self._console.is_terminal:
            self._stream.print(f"{text} …")
            return
        with suppress(OSError):  # the terminal may be gone, and then this is about stopping
            self._status = self._status or self._console.status("")
            self._status.update(f"{text} …")
            self._status.start()

    def done(self, text: str) -> None:
        """Say what has happened, with the seconds since the start."""
        self._stream.print(f"[green]✓[/] {text} [dim]({monotonic() - self._started:.1f} s)[/]")

    def colour_variables(self) -> dict[str, str]:
        """What tells processes, whose output is a pipe, that a terminal is at its end."""
        return {"FORCE_COLOR": "1"} if self._console.is_terminal and not self._console.no_color else {}

    def close(self, text: str) -> None:
        """Say the last word."""
        self._end_spinner()
        self._stream.print(f"[green]✓[/] {text}")

    def show_summary(self, plan: UpPlan) -> None:
        """The panel of a running system."""
        self._end_spinner()
        letuin = command_name()
        # Other commands find the api by the data folder that they would use themselves.
        is_found = data_dir_of(read_environment()).absolute() == plan.data_dir
        at = "" if is_found else f"LETUIN_URL={shlex.quote(plan.url)} "
        rows = Table.grid(padding=(0, 2))
        rows.add_column(style="bold")
        rows.add_column(overflow="fold")
        rows.add_row("API", f"{plan.url}   [dim]docs[/] {plan.url}/docs")
        if plan.console_url:
            rows.add_row("Console", plan.console_url)
        rows.add_row("First job", f'{at}{letuin} submit llm.chat -p prompt="Say hello" -p max_tokens=60 --follow')
        rows.add_row("More", f"{at}{letuin} jobs kinds   [dim]·[/]   {at}{letuin} doctor")
        rows.add_row("Data", str(plan.data_dir))
        rows.add_row("Logs", str(plan.log_dir))
        rows.add_row("Stop", "Ctrl-C")
        if self._console.is_terminal:
            self._stream.print(Panel(rows, title="Letuin is running", border_style="green", expand=False))
        else:
            self._stream.print("Letuin is running")
            self._stream.print(rows)

    def _end_spinner(self) -> None:
        if self._status is not None:
            with suppress(OSError):
                self._status.stop()
            self._status = None
