"""`letuin up`: everything on this machine."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from common.cli.api_processes import MOST
from common.cli.log_stream import LogStream
from common.cli.output import stream_console
from common.cli.surroundings import data_dir_of, read_environment
from common.cli.up_plan import make_plan
from common.cli.up_run import Up
from common.cli.up_screen import UpScreen
from common.embedded.stack import SERVER_NAMES
from common.embedded.state import DataFolderLock

app = typer.Typer(add_completion=False)


@app.command()
def up(
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Port of the api; 0 takes any. Default: API_PORT, or 8000."),
    ] = None,
    host: Annotated[str | None, typer.Option(help="Where the api listens. Default: API_HOST, or 127.0.0.1.")] = None,
    api_processes: Annotated[
        int | None, typer.Option(min=1, max=MOST, help="Api processes behind the port. Default: API_PROCESSES, or 1.")
    ] = None,
    workers: Annotated[int, typer.Option(min=0, max=32, help="Worker processes of each sort.")] = 1,
    concurrency: Annotated[int | None, typer.Option(min=1, max=1000, help="Jobs at a time, per worker.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Data folder. Default: DATA_DIR, or data.")] = None,
    embedded: Annotated[bool, typer.Option(help="Start the servers whose URL is not set in the environment.")] = True,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show the lines of the servers, too.")] = False,
) -> None:
    """Run everything on this machine: servers, api and workers.

    A server whose URL is set (DATABASE_URL, REDIS_URL, …; also in `.env`) is used, not started. ENVIRONMENT is
    development unless it is set. Ctrl-C stops everything; a second Ctrl-C does so at once.
    """
    environ = read_environment()
    folder = (data_dir or data_dir_of(environ)).absolute()
    with DataFolderLock(folder) as lock:
        plan = make_plan(
            environ,
            host=host,
            port=port,
            api_processes=api_processes,
            workers=workers,
            concurrency=concurrency,
            data_dir=folder,
            is_embedded=embedded,
        )
        console = stream_console()
        stream = LogStream(console, quiet=() if verbose else SERVER_NAMES, log_dir=plan.log_dir)
        code = asyncio.run(Up(plan, lock, UpScreen(console, stream), stream).run())
    raise typer.Exit(code)
