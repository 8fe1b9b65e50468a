"""`letuin workers`: which worker processes live, and what they may take."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer
from rich.table import Table

from common.cli.asking import ask
from common.cli.cells import age, cell, column_table
from common.cli.options import JsonOption, UrlOption
from common.cli.output import answer_console, error_console, print_json

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="See worker processes, pause and resize them (for operators). They obey within a heartbeat (5 s).",
)
WorkerId = Annotated[str, typer.Argument(metavar="ID", help="The worker's id; `letuin workers list` shows them.")]


@app.command("list")
def list_workers(as_json: JsonOption = False, url: UrlOption = None) -> None:
    """Show the living worker processes, their queues and how many jobs each runs."""
    page = ask(url, lambda client: client.get("/ops/workers"))
    if as_json:
        print_json(page)
    elif page["items"]:
        answer_console().print(_table(page["items"]))
    else:
        error_console().print("No worker runs. Start one with `letuin worker`, or everything with `letuin up`.")


@app.command()
def pause(worker_id: WorkerId, as_json: JsonOption = False, url: UrlOption = None) -> None:
    """Let a worker take no more jobs; what it runs goes on to its end. Undo with `resume`."""
    _change(url, worker_id, {"is_paused": True}, as_json)


@app.command()
def resume(worker_id: WorkerId, as_json: JsonOption = False, url: UrlOption = None) -> None:
    """Let a paused worker take jobs again."""
    _change(url, worker_id, {"is_paused": False}, as_json)


@app.command("set-concurrency")
def set_concurrency(
    worker_id: WorkerId,
    concurrency: Annotated[int, typer.Argument(min=1, max=10_000, help="How many jobs at once.")],
    as_json: JsonOption = False,
    url: UrlOption = None,
) -> None:
    """Change how many jobs a worker runs at once, until it ends. WORKER_CONCURRENCY sets it for later ones."""
    _change(url, worker_id, {"concurrency": concurrency}, as_json)


def _change(url: str | None, worker_id: str, change: Mapping[str, Any], as_json: bool) -> None:
    worker = ask(url, lambda client: client.patch("/ops/workers", worker_id, body=change))
    if as_json:
        print_json(worker)
        return
    state = "takes no jobs" if worker["is_paused"] else f"runs up to {worker['concurrency']} jobs at once"
    error_console().print(f"Worker {worker['id']} {state}; it now runs {worker['running']}.")


def _table(workers: Iterable[Mapping[str, Any]]) -> Table:
    table = column_table("id", "state", "running", "slots", "queues", "host", "pid", "up for", "seen")
    for worker in workers:
        state = "[red]late[/]" if worker["is_late"] else "[yellow]paused[/]" if worker["is_paused"] else "open"
        numbers = (str(worker["running"]), str(worker["concurrency"]))
        place = (cell(worker["host"]), str(worker["pid"]))
        queues = cell(",".join(worker["queues"]))
        table.add_row(worker["id"], state, *numbers, queues, *place, age(worker["started_at"]), age(worker["seen_at"]))
    return table
