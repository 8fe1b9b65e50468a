"""`letuin top`: queues, workers and running jobs, live."""

import asyncio
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.live import Live
from rich.text import Text

from common.cli.api_client import ApiClient
from common.cli.asking import ask
from common.cli.exits import CommandError
from common.cli.options import JsonOption, UrlOption
from common.cli.output import answer_console, print_json
from common.cli.top_view import Frame

app = typer.Typer(add_completion=False)
_KEYS = "[dim]q quit  p pause[/]"


@app.command()
def top(
    interval: Annotated[float, typer.Option("--interval", "-i", min=0.2, max=60, help="Seconds between looks.")] = 1.0,
    once: Annotated[bool, typer.Option("--once", help="Print one picture and leave; also into a pipe.")] = False,
    as_json: JsonOption = False,
    url: UrlOption = None,
) -> None:
    """Watch queues, workers and running jobs, live.

    For operators. Keys: q quits, p pauses and goes on. --json prints one picture for machines.
    """
    console = answer_console()
    if as_json or once:
        frame = ask(url, Frame.take)
        if as_json:
            print_json(frame.describe())
        else:
            console.print(frame.draw(url=""))
        return
    if not console.is_terminal:
        raise CommandError("This is no terminal: use --once or --json.")
    ask(url, lambda client: _watch(client, Keyboard(), interval))


class Keyboard:
    """The keys that were pressed and what follows from them."""

    def __init__(self) -> None:
        self.is_paused = False
        self.changed = asyncio.Event()
        self.is_over = False

    def press(self, key: str) -> None:
        """Take one key."""
        self.is_over |= key in ("q", "Q", "\x03", "\x04", "")
        if key in ("p", "P", " "):
            self.is_paused = not self.is_paused
        self.changed.set()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Read single keys, unseen, until the block ends; without a terminal to read from there are none."""
        if not sys.stdin.isatty():
            yield
            return
        handle, loop = sys.stdin.fileno(), asyncio.get_running_loop()
        before = termios.tcgetattr(handle)
        try:
            tty.setcbreak(handle)
            loop.add_reader(handle, lambda: self.press(sys.stdin.read(1)))
            yield
        finally:
            loop.remove_reader(handle)
            termios.tcsetattr(handle, termios.TCSADRAIN, before)


async def _watch(client: ApiClient, keyboard: Keyboard, interval: float) -> None:
    """Draw until somebody quits. An api that goes away is said, and looked for again."""
    frame = await Frame.take(client)
    url = client.target.url
    with keyboard.listening(), Live(console=answer_console(), screen=True, auto_refresh=False) as live:
        note = _KEYS
        while not keyboard.is_over:
            live.update(frame.draw(url=url, note=f"[yellow]paused[/]  {_KEYS}" if keyboard.is_paused else note))
            live.refresh()
            keyboard.changed.clear()
            try:
                async with asyncio.timeout(None if keyboard.is_paused else interval):
                    await keyboard.changed.wait()
                continue
            except TimeoutError:
                pass
            try:
                frame, note = await Frame.take(client), _KEYS
            except CommandError as error:
                note = f"[red]{Text(error.message).plain}[/]"
