"""`letuin batches`: many jobs from a file, and how far they are."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from common.cli.api_client import ApiClient
from common.cli.asking import ask
from common.cli.batch_file import BatchLine, chunk, read_lines
from common.cli.cells import cell
from common.cli.exits import ExitCode
from common.cli.job_tables import job_details
from common.cli.options import JsonOption, UrlOption
from common.cli.output import answer_console, error_console, print_json

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Submit many jobs from a file, look at batches, cancel them."
)
BatchId = Annotated[str, typer.Argument(metavar="ID", help="The batch's id; `submit` prints it.")]
_LOOK_EVERY = 0.5
_ENDS = ("succeeded", "failed", "cancelled", "expired")


@app.command()
def submit(
    source: Annotated[str, typer.Argument(metavar="FILE", help="JSON lines, a job each; - reads stdin.")],
    kind: Annotated[str | None, typer.Option(help="The kind of all jobs; the lines are then payloads alone.")] = None,
    size: Annotated[int, typer.Option(min=1, max=1000, help="Jobs a batch; a longer file makes several.")] = 1000,
    wait: Annotated[bool, typer.Option("--wait", "-w", help="Stay until every job has ended.")] = False,
    as_json: JsonOption = False,
    url: UrlOption = None,
) -> None:
    """Submit the jobs of a file, each line {"kind": …, "payload": …} or, with --kind, a payload.

    Prints the id of each batch. A line that is refused does not stop the others; it is named, and the exit code is 1.
    """
    lines = read_lines(source, kind)
    raise typer.Exit(ask(url, lambda client: _submit(client, list(chunk(lines, size)), wait, as_json)))


@app.command()
def show(batch_id: BatchId, as_json: JsonOption = False, url: UrlOption = None) -> None:
    """Show how many jobs of a batch have each status."""
    batch = ask(url, lambda client: client.get("/batches", batch_id))
    if as_json:
        print_json(batch)
    else:
        answer_console().print(job_details({**batch, "progress": f"{batch['progress']:.0%}"}))


@app.command()
def watch(batch_id: BatchId, as_json: JsonOption = False, url: UrlOption = None) -> None:
    """Show a batch's progress until all its jobs have ended; exit code 1 when one did not succeed."""
    raise typer.Exit(ask(url, lambda client: _watch(client, [batch_id], as_json)))


@app.command()
def cancel(batch_id: BatchId, as_json: JsonOption = False, url: UrlOption = None) -> None:
    """Stop every job of a batch that has not ended."""
    done = ask(url, lambda client: client.post("/batches", batch_id, "cancel"))
    if as_json:
        print_json(done)
    else:
        error_console().print(f"{done['cancelled']} stopped, {done['requested']} running ones asked to stop.")


async def _submit(client: ApiClient, chunks: Sequence[Sequence[BatchLine]], wait: bool, as_json: bool) -> ExitCode:
    ids, refused = [], 0
    with counting_bar() as bar:
        shown = bar.add_task("submitting", total=sum(len(lines) for lines in chunks))
        for lines in chunks:
            batch = await client.post("/jobs/batch", body={"jobs": [line.job for line in lines]})
            ids.append(batch["id"])
            refused += _name_refused(lines, batch["items"])
            bar.advance(shown, len(lines))
            if as_json:
                print_json(batch)
            else:
                answer_console().print(batch["id"])
    if wait:
        ended = await _watch(client, ids, as_json)
        return ended if not refused else ExitCode.FAILED
    return ExitCode.FAILED if refused else ExitCode.OK


def _name_refused(lines: Sequence[BatchLine], items: Iterable[dict[str, Any]]) -> int:
    wrong = [(line, item["error"]) for line, item in zip(lines, items, strict=True) if item.get("error")]
    for line, error in wrong:
        error_console().print(f"[red]line {line.number}:[/] {cell(error.get('detail') or error.get('title'))}")
    return len(wrong)


async def _watch(client: ApiClient, ids: Sequence[str], as_json: bool) -> ExitCode:
    with counting_bar() as bar:
        shown = bar.add_task("running", total=None)
        while True:
            batches = [await client.get("/batches", batch_id) for batch_id in ids]
            counts = sum((Counter(batch["counts"]) for batch in batches), Counter[str]())
            total, purged = (sum(batch[name] for batch in batches) for name in ("total", "purged"))
            ended = sum(counts[status] for status in _ENDS) + purged
            bar.update(shown, total=total, completed=ended)
            if ended >= total:
                break
            await asyncio.sleep(_LOOK_EVERY)
    for batch in batches if as_json else ():
        print_json(batch)
    said = ", ".join(f"{counts[status]} {status}" for status in _ENDS if counts[status])
    error_console().print(f"All {total} jobs have ended: {said or 'none left to count'}.")
    return ExitCode.OK if counts["succeeded"] + purged == total else ExitCode.FAILED


def counting_bar() -> Progress:
    """A bar on the terminal; nothing where nobody would see it move."""
    console = error_console()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
