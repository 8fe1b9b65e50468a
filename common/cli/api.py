"""`letuin api`: becomes the api process, or looks after several behind one port."""

import asyncio
import os
from collections.abc import Mapping
from typing import Annotated

import typer

from common.cli.api_processes import MOST, ApiProcesses, count_of, port_of
from common.cli.exits import CommandError, ExitCode
from common.cli.log_stream import LogStream
from common.cli.output import stream_console
from common.cli.supervision import StopSignals, run_until_stopped, stop_all
from common.cli.surroundings import data_dir_of, load_settings, python_module, read_surroundings
from common.embedded.errors import EarlyEndError
from common.embedded.supervisor import Supervisor

_HOST = "127.0.0.1"

app = typer.Typer(add_completion=False)


@app.command()
def api(
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Default: API_PORT, or 8000.")] = None,
    host: Annotated[str | None, typer.Option(help="Default: API_HOST, or 127.0.0.1.")] = None,
    processes: Annotated[
        int | None,
        typer.Option(
            "--processes", "-n", min=1, max=MOST, help="How many, behind the one port. Default: API_PROCESSES, or 1."
        ),
    ] = None,
) -> None:
    """Run the api: one process, or several behind one port.

    Uses the servers that the environment, `.env` or the running `letuin up` names.
    Several are started again when they die.
    """
    environ = read_surroundings()
    load_settings(environ)
    count = count_of(environ, processes)
    if count == 1:
        chosen = {"API_PORT": None if port is None else str(port), "API_HOST": host, "API_PROCESSES": "1"}
        argv = python_module("api.main")
        os.execve(argv[0], argv, {**environ, **{name: value for name, value in chosen.items() if value is not None}})
    where = host or environ.get("API_HOST") or _HOST
    with ApiProcesses(where, port_of(environ, port), count, data_dir_of(environ)) as group:
        raise typer.Exit(asyncio.run(_supervise(group, {**environ, "PYTHONUNBUFFERED": "1"})))


async def _supervise(group: ApiProcesses, environ: Mapping[str, str]) -> ExitCode:
    signals = StopSignals()
    signals.install()
    stream = LogStream(stream_console())
    stream.expect(*group.names)
    supervisor = Supervisor(stream)
    try:
        await run_until_stopped(supervisor.start(*group.specs(environ)), signals)
    except EarlyEndError as error:
        # As one process would end: who restarts it by the exit code knows that a wrong setting stays wrong.
        is_wrong_setting = error.exit_code == ExitCode.USAGE
        raise CommandError(error.message, ExitCode.USAGE if is_wrong_setting else ExitCode.UNREACHABLE) from error
    finally:
        await stop_all(supervisor.stop, supervisor, group.names, signals)
    return signals.exit_code
