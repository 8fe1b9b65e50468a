"""A job's events on a terminal: tokens as they come, a bar for progress, and how it ended."""

import json
import math
from datetime import datetime

from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn

from common.cli.api_client import Job
from common.cli.event_feed import SNAPSHOT, Event
from common.cli.output import answer_console, error_console, printable
from common.event_type import EventType
from common.queue.status import JobStatus

_STEP = 0.1


class FollowView:
    """The answer goes to stdout, everything about it to stderr. Use it in a `with` block: it owns the bar."""

    def __init__(self) -> None:
        self._out = answer_console()
        self._err = error_console()
        self._text = ""
        self._progress: Progress | None = None
        self._task = TaskID(0)
        self._shown = -1.0
        self._is_whole = True

    def __enter__(self) -> "FollowView":
        return self

    def __exit__(self, *_: object) -> None:
        self._end_bar()
        if self._text and not self._text.endswith("\n"):
            self._write("\n")

    def show(self, event: Event) -> None:
        """Show one event; types it does not know are left out."""
        data = event.get("data") or {}
        match event["type"]:
            case EventType.LLM_DELTA:
                self._end_bar()
                self._text += printable(str(data.get("text", "")))
                self._write(printable(str(data.get("text", ""))))
            case EventType.LLM_RESET:
                self._clear()
            case EventType.PROGRESS:
                self._show_progress(float(data.get("fraction") or 0), data.get("message"))
            case EventType.RETRYING:
                self._note(f"attempt {event.get('attempt')} failed, another follows: {_reason(data)}", "yellow")
            case EventType.CANCELLING:
                self._note("cancelling …", "yellow")
            case event_type if event_type == SNAPSHOT:
                # What was streamed until here may lack a piece: the result is shown at the end instead.
                self._is_whole = self._is_whole and not self._text and data.get("attempt", 0) == 0
                if progress := data.get("progress"):
                    self._show_progress(float(progress.get("fraction") or 0), progress.get("message"))

    def finish(self, job: Job) -> None:
        """Show the result, unless it was streamed, and the end."""
        self._end_bar()
        result = job.get("result")
        if self._text and not self._is_whole:
            self._clear()
        if self._text:
            self._write("" if self._text.endswith("\n") else "\n")
            self._text = ""
        elif result is not None:
            self._out.print(json.dumps(result, ensure_ascii=False, indent=2), markup=False)
        print_end(self._err, job)

    def _show_progress(self, fraction: float, message: object) -> None:
        if not self._err.is_terminal:
            if fraction - self._shown >= _STEP or (fraction >= 1 > self._shown):
                self._shown = fraction
                self._note(" ".join(filter(None, (f"{fraction:.0%}", printable(str(message or ""))))), "")
            return
        if self._progress is None:
            columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
            self._progress = Progress(*columns, console=self._err)
            self._task = self._progress.add_task("", total=1.0)
            self._progress.start()
        self._progress.update(self._task, completed=fraction, description=printable(str(message or "working")))

    def _clear(self) -> None:
        """Take back the text of an attempt that is over; what scrolled away, or went to a file, cannot be."""
        if not self._text:
            return
        rows = sum(max(1, math.ceil(cell_len(line) / self._out.width)) for line in self._text.split("\n"))
        if self._out.is_terminal and rows <= self._out.height:
            self._write("\r" + (f"\x1b[{rows - 1}A" if rows > 1 else "") + "\x1b[J")
        else:
            self._write("\n")
        self._text = ""
        self._note("the answer starts again", "yellow")

    def _note(self, text: str, style: str) -> None:
        if self._text and not self._text.endswith("\n") and self._out.is_terminal:
            self._write("\n")
        self._err.print(text, style=style or None, markup=False)

    def _write(self, text: str) -> None:
        self._out.file.write(text)
        self._out.file.flush()

    def _end_bar(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


def print_end(console: Console, job: Job) -> None:
    """One line: the status, how long it took, and what went wrong."""
    status, seconds = job["status"], _seconds(job)
    took = "" if seconds is None else f" in {seconds:.1f} s"
    attempts = f", attempt {job['attempt']}" if job.get("attempt", 0) > 1 else ""
    reason = "" if status == JobStatus.SUCCEEDED else f": {_reason(job)}" if job.get("error") else ""
    mark, style = ("✓", "green") if status == JobStatus.SUCCEEDED else ("✗", "red")
    console.print(f"{mark} {status}{took}{attempts}{reason}", style=style, markup=False)


def _reason(data: Job) -> str:
    error = data.get("error")
    if not isinstance(error, dict):
        return printable(str(error or "no reason given"))
    return printable(": ".join(str(error[name]) for name in ("code", "message") if error.get(name)))


def _seconds(job: Job) -> float | None:
    begin, end = job.get("started_at") or job.get("created_at"), job.get("finished_at")
    if not begin or not end:
        return None
    return (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds()
