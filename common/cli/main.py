"""`letuin`: the entry point, the list of commands, and how errors are shown."""

import sys
from importlib.metadata import version
from typing import Annotated

import typer

from common.cli.exits import EPILOG, CommandError, ExitCode
from common.cli.lazy import LazyCommand, lazy_group
from common.cli.output import error_console
from common.errors import AppError

COMMANDS = {
    "up": LazyCommand("common.cli.up", "Run everything on this machine: servers, api and workers."),
    "submit": LazyCommand("common.cli.submit", "Submit a job, and follow it if you like."),
    "jobs": LazyCommand("common.cli.jobs", "Look at jobs, ask why one waits, watch, cancel or retry them."),
    "batches": LazyCommand("common.cli.batches", "Submit many jobs from a file, look at batches, cancel them."),
    "queues": LazyCommand("common.cli.queues", "See queues, pause and resume them (for operators)."),
    "workers": LazyCommand("common.cli.workers", "See worker processes, pause, drain and resize them (for operators)."),
    "top": LazyCommand("common.cli.top", "Watch queues, workers and running jobs, live."),
    "api": LazyCommand("common.cli.api", "Run the api: one process, or several behind one port."),
    "worker": LazyCommand("common.cli.worker", "Run worker processes, and start them again when they die."),
    "migrate": LazyCommand("common.cli.migrate", "Bring the database to the newest (or a given) revision."),
    "doctor": LazyCommand("common.cli.doctor", "Check every server and setting, and say how to mend them."),
    "verify": LazyCommand("common.cli.verify", "Check that the stores fit together, and mend what does not."),
    "backup": LazyCommand("common.cli.backup", "Write everything that `letuin up` keeps into one file."),
    "restore": LazyCommand("common.cli.restore", "Put a backup into an empty data folder."),
    "threads": LazyCommand("common.cli.threads", "Make threads, look at them, delete them."),
    "chat": LazyCommand("common.cli.chat", "Talk with an agent; it remembers the thread."),
    "collections": LazyCommand("common.cli.collections", "Keep documents in collections, and search them."),
    "ask": LazyCommand("common.cli.ask", "Answer a question from the documents of a collection."),
    "schedules": LazyCommand("common.cli.schedules", "Make schedules, look at them and steer them."),
    "mail": LazyCommand("common.cli.mail", "Look at mails, and send them again."),
    "keys": LazyCommand("common.cli.keys", "Make, list and revoke API keys."),
    "users": LazyCommand("common.cli.users", "Create users; as an admin list, change, disable and enable them."),
    "logs": LazyCommand("common.cli.logs", "Look at requests and at calls of models."),
    "usage": LazyCommand("common.cli.usage", "Sum up what calls of models came to."),
    "budgets": LazyCommand("common.cli.budgets", "Bound what is spent on models (for operators)."),
    "bench": LazyCommand("common.cli.bench", "Measure Letuin beside other queues."),
    "register": LazyCommand("common.cli.register", "Ask for an account."),
    "verify-email": LazyCommand("common.cli.verify_email", "Verify your address with the code from the mail."),
    "login": LazyCommand("common.cli.login", "Sign in, and keep the tokens for later commands."),
    "logout": LazyCommand("common.cli.logout", "Sign out."),
}
# Names instead of imports: the embedded servers are not needed to show their errors.
_EXIT_CODES = {"already_running": ExitCode.ALREADY_RUNNING, "embedded_server": ExitCode.UNREACHABLE}


def _show_version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(f"letuin {version('letuin')}")
        raise typer.Exit


app = typer.Typer(
    cls=lazy_group(COMMANDS),
    name="letuin",
    help="Letuin, an AI job backend: submit work, follow it live, run the servers and workers that do it.",
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _letuin(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and leave.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line; every expected error becomes a sentence and an exit code."""
    try:
        app(prog_name="letuin")
    except AppError as error:
        sys.exit(_report(error))


def _report(error: AppError) -> int:
    console = error_console()
    console.print("[bold red]Error:[/]", end=" ")
    console.print(error.message, markup=False, highlight=False)
    details = error.details if isinstance(error, CommandError) else []
    for line in details:
        console.print(f"  {line}", markup=False, highlight=False)
    if isinstance(error, CommandError):
        return error.exit_code
    return _EXIT_CODES.get(error.code, ExitCode.USAGE)


if __name__ == "__main__":
    main()
