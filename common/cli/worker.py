"""`letuin worker`: worker processes under a supervisor of their own."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from common.cli.exits import CommandError, ExitCode
from common.cli.log_stream import LogStream
from common.cli.output import stream_console
from common.cli.supervision import StopSignals, run_until_stopped, stop_all
from common.cli.surroundings import load_settings, read_surroundings
from common.cli.worker_process import WorkerPlan, WorkerProcess, known_queues, multiply
from common.config import CommonSettings
from common.embedded.supervisor import Supervisor

app = typer.Typer(add_completion=False)


@app.command()
def worker(
    queues: Annotated[
        str | None,
        typer.Option(
            "--queues", "-q", metavar="A,B", help="Queues to serve, in order. Default: WORKER_QUEUES, or all."
        ),
    ] = None,
    concurrency: Annotated[
        int | None, typer.Option("--concurrency", "-c", min=1, max=1000, help="Jobs at a time, per process.")
    ] = None,
    processes: Annotated[int, typer.Option("--processes", "-n", min=1, max=64, help="How many processes.")] = 1,
    supervisor: Annotated[
        bool, typer.Option(help="Start a dead worker again and free its jobs at once; without, be the worker itself.")
    ] = True,
) -> None:
    """Run worker processes, and start them again when they die."""
    environ = {**read_surroundings(), "PYTHONUNBUFFERED": "1"}
    chosen = _parse_queues(queues or environ.get("WORKER_QUEUES"))
    settings = load_settings(environ)
    plans = multiply("worker", chosen, processes, concurrency)
    if not supervisor:
        if processes > 1:
            raise CommandError("--no-supervisor runs one process; leave --processes out.")
        argv = plans[0].argv()
        os.execve(argv[0], argv, environ)
    raise typer.Exit(asyncio.run(_supervise(plans, environ, settings)))


def _parse_queues(text: str | None) -> tuple[str, ...]:
    known = known_queues()
    names = tuple(dict.fromkeys(name.strip() for name in (text or "").split(",") if name.strip()))
    if unknown := [name for name in names if name not in known]:
        raise CommandError(f"No job kind uses the queue {unknown[0]!r}; the queues are {', '.join(known)}.")
    return names or tuple(known)


async def _supervise(plans: Sequence[WorkerPlan], environ: Mapping[str, str], settings: CommonSettings) -> ExitCode:
    signals = StopSignals()
    signals.install()
    stream = LogStream(stream_console())
    names = [plan.name for plan in plans]
    stream.expect(*names)
    supervisor = Supervisor(stream)
    try:
        specs = [WorkerProcess(plan, environ, settings).spec() for plan in plans]
        await run_until_stopped(supervisor.start(*specs), signals)
    finally:
        await stop_all(supervisor.stop, supervisor, names, signals)
    return signals.exit_code
