"""Draws the README's pictures from a run of the real thing: uv run python docs/images/make.py

Starts `letuin up` in a folder of its own, submits a job, and writes what both printed on a terminal as SVG.
"""

import io
import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

from rich.ansi import AnsiDecoder
from rich.console import Console
from rich.text import Text

COLUMNS, ROWS = 110, 40
PAUSE, STEP = 4.0, 0.08
QUESTION = {
    "messages": [
        {"role": "system", "content": "You are a helpful assistant. Answer in two short, plain sentences."},
        {"role": "user", "content": "Why is the sky blue?"},
    ],
    "temperature": 0,
}
type Frame = tuple[float, str]


@contextmanager
def on_terminal(folder: Path, *arguments: str) -> Iterator["tuple[subprocess.Popen[bytes], int]"]:
    """`letuin ARGUMENTS` with a terminal of its own, and the other end of that terminal."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (ROWS, COLUMNS))
    env = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    for name in ("NO_COLOR", "COLUMNS", "LINES"):
        env.pop(name, None)
    argv = [sys.executable, "-P", "-m", "common.cli.main", *arguments]
    process = subprocess.Popen(
        argv, cwd=folder, env=env, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    try:
        yield process, ours
    finally:
        process.send_signal(signal.SIGTERM)
        for _ in read(ours):
            pass
        process.wait(60)
        os.close(ours)


def read(terminal: int, quiet: float = 60) -> Iterator[str]:
    """What appears, until the other side closes or says nothing for `quiet` seconds."""
    while select.select([terminal], [], [], quiet)[0]:
        try:
            if not (piece := os.read(terminal, 65536)):
                return
        except OSError:  # a closed terminal
            return
        yield piece.decode(errors="replace")


def screen(output: str) -> Text:
    """What stands on the terminal after `output`; of cursor movements only those that spinners make."""
    plain = re.sub(r"[^\n]*\n(?:\x1b\[\?25h)?\r?\x1b\[1A\x1b\[2K", "", output.replace("\r\n", "\n"))
    return Text("\n").join(AnsiDecoder().decode(plain.rstrip("\n")))


def draw(text: Text, name: str, title: str, height: int) -> str:
    """An SVG of `text` with this many lines."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(text, overflow="fold")
    shown = len(text.wrap(console, COLUMNS))
    console.print("\n" * (height - shown), end="")
    svg = console.export_svg(title=title, unique_id=name)
    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)  # nothing from other servers


def animate(frames: Sequence[Frame], title: str) -> str:
    """The frames one after the other at their own times; where nothing moves, the last one."""
    last = screen(frames[-1][1])
    height = len(last.wrap(Console(width=COLUMNS), COLUMNS))
    length = frames[-1][0] + PAUSE
    groups, styles = [], ["@media (prefers-reduced-motion: reduce) { .frame { animation: none !important } }"]
    for number, (moment, output) in enumerate(frames):
        name, is_last = f"frame{number}", number == len(frames) - 1
        svg = draw(screen(output), name, title, height)
        (matrix,) = re.findall(rf'<g class="{name}-matrix">.*?</g>', svg, re.DOTALL)
        groups.append(f'<g class="frame {name}">{matrix}</g>'.replace(f"{name}-line-", f"frame{len(frames) - 1}-line-"))
        styles += re.findall(rf"\.{name}-(?:r\d+|matrix) {{.*?}}", svg, re.DOTALL)
        end = length if is_last else frames[number + 1][0]
        steps = f"0% {{visibility: hidden}} {moment / length:.2%} {{visibility: visible}}"
        steps += "" if is_last else f" {end / length:.2%} {{visibility: hidden}}"
        shown = "visible" if is_last else "hidden"
        styles.append(f".{name} {{visibility: {shown}; animation: {name} {length:.2f}s infinite step-end}}")
        styles.append(f"@keyframes {name} {{{steps}}}")
    whole = svg.replace(matrix, "".join(groups))
    return whole.replace("</style>", "\n".join(styles) + "\n</style>", 1)


def record_up(terminal: int) -> str:
    """What `letuin up` prints until its panel stands."""
    output = ""
    for piece in read(terminal):
        output += piece
        head, foot, _ = output.partition("\u2518" if "\u2518" in output else "\u256f")
        if foot and "Ctrl-C" in head:
            return head + foot
    raise SystemExit(f"letuin up ended early:\n{output}")


def record_job(folder: Path) -> list[Frame]:
    """A streamed answer as it grew, with the command above it."""
    shown = json.dumps(QUESTION)
    output = f"$ uv run letuin submit llm.chat --follow --payload '{shown}'\n"
    frames = [(0.0, output)]
    with on_terminal(folder, "submit", "llm.chat", "--follow", "--payload", shown) as (_, terminal):
        start = time.monotonic()
        for piece in read(terminal):
            output += piece
            frames.append((time.monotonic() - start, output))
    thinned = [frame for frame, after in pairwise(frames) if after[0] - frame[0] >= STEP]
    return [*thinned, frames[-1]]


def main() -> None:
    target = Path(__file__).parent
    folder = Path(tempfile.mkdtemp(prefix="letuin-"))
    try:
        with on_terminal(folder, "up", "--port", "0") as (_, terminal):
            started = screen("$ uv run letuin up\n" + record_up(terminal))
            subprocess.run(
                [sys.executable, "-P", "-m", "common.cli.main", "submit", "system.echo", "-p", "message=x", "--wait"],
                cwd=folder,
                check=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            (target / "job.svg").write_text(animate(record_job(folder), "a streamed job"), "utf-8")
        (target / "up.svg").write_text(draw(started, "up", "letuin up", 0), "utf-8")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
