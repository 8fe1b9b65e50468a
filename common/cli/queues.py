"""`letuin queues`: what waits in each queue, and whether anybody may take it."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer
from rich.table import Table

from common.cli.asking import ask
from common.cli.cells import age, cell, column_table, span
from common.cli.options import JsonOption, UrlOption
from common.cli.output import answer_console, error_console, print_json

app = typer.Typer(add_completion=False, no_args_is_help=True, help="See queues, pause and resume them (for operators).")
Name = Annotated[str, typer.Argument(help="The queue's name; `letuin queues list` shows them.")]


@app.command("list")
def list_queues(as_json: JsonOption = False, url: UrlOption = None) -> None:
    """Show every queue: what waits (`due`: may start now), what runs, since when the oldest is due, how long a new job
    will probably wait, jobs ended a minute, and how many workers serve it."""
    page = ask(url, lambda client: client.get("/ops/queues"))
    if as_json:
        print_json(page)
    else:
        answer_console().print(queue_table(page["items"]))


@app.command()
def pause(name: Name, as_json: JsonOption = False, url: UrlOption = None) -> None:
    """Let nothing more start in a queue. Jobs are still accepted, and running ones go on."""
    _decide(url, name, "pause", as_json)


@app.command()
def resume(name: Name, as_json: JsonOption = False, url: UrlOption = None) -> None:
    """Let jobs of a queue start again."""
    _decide(url, name, "resume", as_json)


def _decide(url: str | None, name: str, verb: str, as_json: bool) -> None:
    queue = ask(url, lambda client: client.post("/ops/queues", name, verb))
    if as_json:
        print_json(queue)
    else:
        error_console().print(f"Queue {cell(queue['name'])} is {'paused' if queue['is_paused'] else 'open'}.")


def queue_table(queues: Iterable[Mapping[str, Any]]) -> Table:
    """One line a queue."""
    counted = ("queued", "due", "running")
    table = column_table("queue", "state", *counted, "oldest", "wait", "ended/min", "failed/min", "workers", "slots")
    for queue in queues:
        state = "[yellow]paused[/]" if queue["is_paused"] else "open"
        if not queue["is_paused"] and queue["queued"] and not queue["workers"]:
            state = "[red]no worker[/]"
        oldest = age(queue["oldest_at"]) if queue["oldest_at"] else "-"
        counts = (str(queue[name]) for name in counted)
        wait = "-" if queue["wait_estimate"] is None else span(queue["wait_estimate"])
        pace = (_pace(queue[name]) for name in ("ended_per_minute", "failed_per_minute"))
        service = (str(queue[name]) for name in ("workers", "slots"))
        table.add_row(cell(queue["name"]), state, *counts, oldest, wait, *pace, *service)
    return table


def _pace(per_minute: float | None) -> str:
    return "-" if per_minute is None else f"{per_minute:.1f}"
