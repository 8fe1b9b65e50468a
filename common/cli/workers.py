"""`letuin workers`: which worker processes live, and what they may take."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer
from rich.table import Table

from common.cli.api_client import ApiClient
from common.cli.asking import ask
from common.cli.cells import age, cell, column_table
from common.cli.options import JsonOption, UrlOption
from common.cli.output import answer_console, error_console, print_json

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="See worker processes, pause, drain and resize them (for operators). They obey within a heartbeat (5 s).",
)
WorkerId = Annotated[str, typer.Argument(metavar="ID", help="The worker's id; `letuin workers list` shows them.")]


_LOOK_EVERY = 0.5


@app.command("list")
def list_workers(as_json: JsonOption = False, url: UrlOption = None) -> None:
    """Show the living worker processes, their queues and how many jobs each runs."""
    page = ask(url, lambda client: client.get("/ops/workers"))
    if as_json:
        print_json(page)
    elif page["items"]:
        answer_console().print(worker_table(page["items"]))
    else:
        error_console().print("No worker runs. Start one with `letuin worker`, or everything with `letuin up`.")


@app.command()
def pause(worker_id: WorkerId, as_json: JsonOption = False, url: UrlOption = None) -> None:
    """Let a worker take no more jobs; what it runs goes on to its end. Undo with `resume`."""
    _change(url, worker_id, {"is_paused": True}, as_json)


@app.command()
def drain(
    worker_id: WorkerId,
    wait: Annotated[bool, typer.Option(help="Stay until it runs nothing.")] = True,
    as_json: JsonOption = False,
    url: UrlOption = None,
) -> None:
    """Let a worker take no more jobs, and hand back those that run longer than WORKER_DRAIN_GRACE.

    They start again elsewhere without using up an attempt. The process stays; undo with `resume`.
    """
    worker = ask(url, lambda client: _drain(client, worker_id, wait=wait))
    if as_json:
        print_json(worker)
    else:
        error_console().print(f"Worker {worker['id']} takes no jobs; it now runs {worker['running']}.")


@app.command()
def resume(worker_id: WorkerId, as_json: JsonOption = False, url: UrlOption = None) -> None:
    """Let a paused or drained worker take jobs again."""
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


async def _drain(client: ApiClient, worker_id: str, *, wait: bool) -> dict[str, Any]:
    """The worker when it runs nothing any more, or as it is now; one that has ended runs nothing."""
    worker = await client.patch("/ops/workers", worker_id, body={"is_draining": True})
    while wait and worker["running"]:
        await asyncio.sleep(_LOOK_EVERY)
        workers = (await client.get("/ops/workers"))["items"]
        worker = next((each for each in workers if each["id"] == worker_id), {**worker, "running": 0})
    return worker


def _change(url: str | None, worker_id: str, change: Mapping[str, Any], as_json: bool) -> None:
    worker = ask(url, lambda client: client.patch("/ops/workers", worker_id, body=change))
    if as_json:
        print_json(worker)
        return
    state = "takes no jobs" if worker["is_paused"] else f"runs up to {worker['concurrency']} jobs at once"
    error_console().print(f"Worker {worker['id']} {state}; it now runs {worker['running']}.")


def worker_table(workers: Iterable[Mapping[str, Any]]) -> Table:
    """One line a worker."""
    table = column_table("id", "state", "running", "slots", "queues", "host", "pid", "up for", "seen")
    for worker in workers:
        held_up = "draining" if worker["is_draining"] else "paused" if worker["is_paused"] else None
        state = "[red]late[/]" if worker["is_late"] else f"[yellow]{held_up}[/]" if held_up else "open"
        numbers = (str(worker["running"]), str(worker["concurrency"]))
        place = (cell(worker["host"]), str(worker["pid"]))
        queues = cell(",".join(worker["queues"]))
        table.add_row(worker["id"], state, *numbers, queues, *place, age(worker["started_at"]), age(worker["seen_at"]))
    return table
