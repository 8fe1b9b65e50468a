"""`letuin jobs`: look at jobs and steer them."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import typer

from common.cli.api_client import ApiClient, Job
from common.cli.job_tables import job_details, job_table, kind_table
from common.cli.options import JsonOption, UrlOption
from common.cli.output import answer_console, error_console, print_json
from common.cli.target import find_target
from common.cli.watching import Stay, stay_with
from common.queue.status import JobStatus

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Look at jobs, watch, cancel or retry them.")
JobId = Annotated[str, typer.Argument(metavar="ID", help="The job's id.")]


@app.command("list")
def list_jobs(
    status: Annotated[JobStatus | None, typer.Option(help="Only jobs in this state.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only jobs of this kind.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many at most.")] = 20,
    as_json: JsonOption = False,
    url: UrlOption = None,
) -> None:
    """List your jobs, the newest first."""
    filters = {"status": status.value if status else None, "kind": kind, "limit": limit}
    page = _ask(url, lambda client: client.jobs(filters))
    if as_json:
        print_json(page)
    elif page["items"]:
        answer_console().print(job_table(page["items"]))
    else:
        error_console().print("No such jobs.")


@app.command()
def show(job_id: JobId, as_json: JsonOption = False, url: UrlOption = None) -> None:
    """Show one job with its result."""
    job = _ask(url, lambda client: client.job(job_id))
    if as_json:
        print_json(job)
    else:
        answer_console().print(job_details(job))


@app.command()
def watch(job_id: JobId, as_json: JsonOption = False, url: UrlOption = None) -> None:
    """Show a job's tokens and progress until it ends."""
    raise typer.Exit(_ask(url, lambda client: stay_with(client, job_id, Stay(follow=True, as_json=as_json))))


@app.command()
def cancel(job_id: JobId, as_json: JsonOption = False, url: UrlOption = None) -> None:
    """Stop a job: at once while it waits, within about a second while it runs."""
    _steer(url, lambda client: client.cancel(job_id), as_json)


@app.command()
def retry(job_id: JobId, as_json: JsonOption = False, url: UrlOption = None) -> None:
    """Queue a failed, cancelled or expired job again."""
    _steer(url, lambda client: client.retry(job_id), as_json)


@app.command()
def kinds(as_json: JsonOption = False, url: UrlOption = None) -> None:
    """List what can be submitted, with the fields of each payload."""
    found = _ask(url, lambda client: client.kinds())
    if as_json:
        print_json(found)
    else:
        answer_console().print(kind_table(found))


def _ask[T](url: str | None, question: Callable[[ApiClient], Awaitable[T]]) -> T:
    async def run() -> T:
        async with ApiClient(find_target(url)) as client:
            return await question(client)

    return asyncio.run(run())


def _steer(url: str | None, action: Callable[[ApiClient], Awaitable[Job]], as_json: bool) -> None:
    job: dict[str, Any] = _ask(url, action)
    if as_json:
        print_json(job)
        return
    is_cancelling = job["status"] == JobStatus.RUNNING
    error_console().print(f"Job {job['id']} is {'being cancelled' if is_cancelling else job['status']}.")
