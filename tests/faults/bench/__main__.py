"""`python -m tests.faults.bench`: what `letuin bench faults` runs."""

import asyncio
import json
import secrets
import signal
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from loguru import logger
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from tests.faults.bench.campaign import run_campaign
from tests.faults.bench.report import Report

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def faults(
    minutes: Annotated[float, typer.Option(min=0.05, max=24 * 60, help="How long faults strike.")] = 5,
    jobs: Annotated[float, typer.Option(metavar="N", min=1, max=1000, help="Jobs submitted per second.")] = 40,
    workers: Annotated[int, typer.Option(min=2, max=20, help="Worker processes.")] = 2,
    lease: Annotated[float, typer.Option(min=1, max=120, help="LEASE_DURATION of the workers, in seconds.")] = 15,
    seed: Annotated[int | None, typer.Option(help="Draws the same faults again; by default a new one.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the JSON document instead of tables.")] = False,
    output: Annotated[Path, typer.Option(help="Folder for the JSON file.")] = Path("data/benchmark"),
) -> None:
    """Strike servers and workers by chance while jobs run, then check every promise for every job.

    Workers are killed and stopped, Redis is emptied and killed, PostgreSQL is killed, connections are cut, silenced
    and slowed down. Starts and ends its own servers. Exit code 1 when a promise was broken.
    """
    drawn = secrets.randbelow(10**6) if seed is None else seed
    report = Report(minutes * 60, drawn, lease, workers, jobs)
    console = Console(stderr=as_json)
    logger.remove()  # what the producer warns of is what the report is about
    asyncio.run(_run(console, report))
    document = json.dumps(report.document(), indent=2)
    output.mkdir(parents=True, exist_ok=True)
    path = output / f"faults-{datetime.now(UTC):%Y%m%d-%H%M%S}.json"
    path.write_text(document + "\n", encoding="utf-8")
    if as_json:
        typer.echo(document)
    else:
        report.print(console)
    console.print(f"Written: {path}")
    raise typer.Exit(0 if report.is_whole else 1)


async def _run(console: Console, report: Report) -> None:
    """The campaign under a bar; the first Ctrl-C ends the faults, the second everything."""
    loop, stopping = asyncio.get_running_loop(), asyncio.Event()

    def stop() -> None:
        stopping.set()
        loop.remove_signal_handler(signal.SIGINT)

    loop.add_signal_handler(signal.SIGINT, stop)
    columns = (SpinnerColumn(), TextColumn("{task.description:<36}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("", total=report.seconds)
        ticking = asyncio.create_task(_tick(progress, bar))
        try:
            await run_campaign(report, stopping=stopping, tell=lambda text: progress.update(bar, description=text))
        finally:
            ticking.cancel()
            with suppress(asyncio.CancelledError):
                await ticking


async def _tick(progress: Progress, bar: TaskID) -> None:
    while True:
        await asyncio.sleep(0.5)
        progress.advance(bar, 0.5)


if __name__ == "__main__":
    app(prog_name="letuin bench faults")
