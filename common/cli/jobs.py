"""`letuin jobs`: look at jobs and steer them."""

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import typer

from common.cli.api_client import ApiClient, Job
from common.cli.asking import ask
from common.cli.exits import CommandError
from common.cli.job_tables import attempt_table, job_details, job_table, kind_table
from common.cli.job_why import explain
from common.cli.options import JsonOption, UrlOption
from common.cli.output import answer_console, error_console, print_json
from common.cli.watching import Stay, stay_with
from common.queue.status import JobStatus

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Look at jobs, ask why one waits, watch, cancel or retry them."
)
StatusFilter = Annotated[list[JobStatus] | None, typer.Option("--status", help="In this state; repeatable.")]
KindFilter = Annotated[str | None, typer.Option("--kind", help="Of this kind.")]
QueueFilter = Annotated[str | None, typer.Option("--queue", help="In this queue.")]
TagFilter = Annotated[str | None, typer.Option("--tag", help="With this tag.")]
BatchFilter = Annotated[str | None, typer.Option("--batch", metavar="ID", help="Of this batch.")]
JobId = Annotated[str, typer.Argument(metavar="ID", help="The job's id.")]


@app.command("list")
def list_jobs(
    status: Annotated[JobStatus | None, typer.Option(help="Only jobs in this state.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only jobs of this kind.")] = None,
    queue: QueueFilter = None,
    tag: TagFilter = None,
    batch_id: BatchFilter = None,
    everybody: Annotated[bool, typer.Option("--everybody", help="Of your whole tenant (for operators).")] = False,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many at most.")] = 20,
    as_json: JsonOption = False,
    url: UrlOption = None,
) -> None:
    """List your jobs, or everybody's, the newest first."""
    filters = {
        "status": status.value if status else None,
        "kind": kind,
        "queue": queue,
        "tag": tag,
        "batch": batch_id,
        "everybody": everybody or None,
        "limit": limit,
    }
    page = ask(url, lambda client: client.jobs(filters))
    if as_json:
        print_json(page)
    elif page["items"]:
        answer_console().print(job_table(page["items"]))
    else:
        error_console().print("No such jobs.")


@app.command()
def show(job_id: JobId, as_json: JsonOption = False, url: UrlOption = None) -> None:
    """Show one job with its result."""
    job = ask(url, lambda client: client.job(job_id))
    if as_json:
        print_json(job)
    else:
        answer_console().print(job_details(job))


@app.command()
def attempts(job_id: JobId, as_json: JsonOption = False, url: UrlOption = None) -> None:
    """Show when, where and how each attempt of a job ended."""
    found = ask(url, lambda client: client.get("/jobs", job_id, "attempts"))
    if as_json:
        print_json(found)
    else:
        answer_console().print(attempt_table(found["items"]))


@app.command()
def why(job_id: JobId, as_json: JsonOption = False, url: UrlOption = None) -> None:
    """Say why a job has not started: what holds it back, its place in its queue, and how long that will take."""
    told = ask(url, lambda client: client.get("/jobs", job_id, "waiting"))
    if as_json:
        print_json(told)
    else:
        answer_console().print(*explain(told), sep="\n")


@app.command()
def watch(job_id: JobId, as_json: JsonOption = False, url: UrlOption = None) -> None:
    """Show a job's tokens and progress until it ends."""
    raise typer.Exit(ask(url, lambda client: stay_with(client, job_id, Stay(follow=True, as_json=as_json))))


@app.command()
def cancel(job_id: JobId, as_json: JsonOption = False, url: UrlOption = None) -> None:
    """Stop a job: at once while it waits, within about a second while it runs."""
    _steer(url, lambda client: client.cancel(job_id), as_json)


@app.command()
def retry(job_id: JobId, as_json: JsonOption = False, url: UrlOption = None) -> None:
    """Queue a failed, cancelled or expired job again."""
    _steer(url, lambda client: client.retry(job_id), as_json)


@app.command("cancel-many")
def cancel_many(
    status: StatusFilter = None,
    kind: KindFilter = None,
    queue: QueueFilter = None,
    tag: TagFilter = None,
    batch_id: BatchFilter = None,
    as_json: JsonOption = False,
    url: UrlOption = None,
) -> None:
    """Stop all your jobs that match every given option and have not ended."""
    selection = _selection(status, kind, queue, tag, batch_id)
    done = ask(url, lambda client: _repeat(client, "cancel", selection))
    if as_json:
        print_json(done)
    else:
        error_console().print(f"{done['cancelled']} stopped, {done['requested']} running ones asked to stop.")


@app.command("retry-many")
def retry_many(
    status: StatusFilter = None,
    kind: KindFilter = None,
    queue: QueueFilter = None,
    tag: TagFilter = None,
    batch_id: BatchFilter = None,
    as_json: JsonOption = False,
    url: UrlOption = None,
) -> None:
    """Queue all your jobs again that match every given option and failed (or have the given --status)."""
    selection = _selection(status, kind, queue, tag, batch_id)
    done = ask(url, lambda client: _repeat(client, "retry", selection))
    if as_json:
        print_json(done)
    else:
        error_console().print(f"{done['retried']} queued again.")


@app.command()
def kinds(as_json: JsonOption = False, url: UrlOption = None) -> None:
    """List what can be submitted, with the fields of each payload."""
    found = ask(url, lambda client: client.kinds())
    if as_json:
        print_json(found)
    else:
        answer_console().print(kind_table(found))


def _steer(url: str | None, action: Callable[[ApiClient], Awaitable[Job]], as_json: bool) -> None:
    job: dict[str, Any] = ask(url, action)
    if as_json:
        print_json(job)
        return
    is_cancelling = job["status"] == JobStatus.RUNNING
    error_console().print(f"Job {job['id']} is {'being cancelled' if is_cancelling else job['status']}.")


def _selection(
    status: list[JobStatus] | None, kind: str | None, queue: str | None, tag: str | None, batch_id: str | None
) -> dict[str, Any]:
    """The options as the api's filter. Raises CommandError when nothing was selected."""
    statuses = [each.value for each in status] if status else None
    given = {"status": statuses, "kind": kind, "queue": queue, "tag": tag, "batch_id": batch_id}
    selection = {name: value for name, value in given.items() if value is not None}
    if not selection:
        raise CommandError("Say which jobs are meant: --status, --kind, --queue, --tag or --batch.")
    return selection


async def _repeat(client: ApiClient, verb: str, selection: dict[str, Any]) -> dict[str, int]:
    """Ask until nothing is left: the api takes a bounded number at a time."""
    totals: Counter[str] = Counter()
    while True:
        done = await client.post("/jobs", verb, body=selection)
        has_more = done.pop("has_more")
        totals.update(done)
        if not (has_more and any(done.values())):
            return dict(totals)
