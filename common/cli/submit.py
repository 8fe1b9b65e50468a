"""`letuin submit`: one job from the command line."""

import asyncio
from typing import Annotated, Any

import typer

from common.cli.api_client import ApiClient
from common.cli.duration import parse_duration
from common.cli.exits import CommandError, ExitCode
from common.cli.options import JsonOption, UrlOption
from common.cli.output import answer_console, error_console, print_json
from common.cli.payload import read_pairs, read_payload
from common.cli.surroundings import command_name
from common.cli.target import Target, find_target
from common.cli.watching import Stay, stay_with
from common.queue.options import Notify, OnFailure, UniqueMode

app = typer.Typer(add_completion=False)


@app.command()
def submit(
    kind: Annotated[str, typer.Argument(help="The job kind; `letuin jobs kinds` lists them.")],
    pairs: Annotated[
        list[str] | None, typer.Option("--param", "-p", metavar="KEY=VALUE", help="One field of the payload.")
    ] = None,
    payload: Annotated[
        str | None, typer.Option(metavar="JSON|@FILE|-", help="The payload as JSON, from a file, or from stdin.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Show tokens and progress until the end.")] = False,
    wait: Annotated[bool, typer.Option("--wait", "-w", help="Wait for the end and print the result.")] = False,
    wait_limit: Annotated[
        float | None,
        typer.Option(parser=parse_duration, metavar="DURATION", help="Wait, but not longer than this."),
    ] = None,
    priority: Annotated[int | None, typer.Option(min=-100, max=100, help="A head start, in minutes.")] = None,
    delay: Annotated[
        float | None, typer.Option(parser=parse_duration, metavar="DURATION", help="Start no sooner than this.")
    ] = None,
    tags: Annotated[list[str] | None, typer.Option("--tag", help="A word to find the job by; repeatable.")] = None,
    max_attempts: Annotated[int | None, typer.Option(min=1, help="How often to try.")] = None,
    timeout: Annotated[
        float | None, typer.Option(parser=parse_duration, metavar="DURATION", help="Limit of one attempt.")
    ] = None,
    expires_in: Annotated[
        float | None, typer.Option(parser=parse_duration, metavar="DURATION", help="Give up if not started by then.")
    ] = None,
    after: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Start when this job has succeeded; repeatable.")
    ] = None,
    on_failure: Annotated[
        OnFailure | None, typer.Option(help="What to do when a job of --after does not succeed. Default: fail.")
    ] = None,
    notify: Annotated[Notify | None, typer.Option(help="Mail you when the job ends like this.")] = None,
    unique: Annotated[
        str | None, typer.Option(metavar="KEY", help="Do nothing when a job with this key waits or runs.")
    ] = None,
    idempotency_key: Annotated[
        str | None, typer.Option(metavar="KEY", help="A submit that is repeated with this key makes no second job.")
    ] = None,
    as_json: JsonOption = False,
    url: UrlOption = None,
) -> None:
    """Submit a job, and follow it if you like.

    Prints the job's id; with --wait or --follow its result. Durations read 90, 90s, 5m, 2h or 1d.
    """
    if follow and (wait or wait_limit is not None):
        raise CommandError("--follow and --wait exclude each other.")
    options = {
        "priority": priority,
        "delay": delay,
        "tags": tags or None,
        "max_attempts": max_attempts,
        "timeout": timeout,
        "expires_in": expires_in,
        "after": after or None,
        "on_failure": on_failure.value if on_failure else None,
        "notify": notify.value if notify else None,
        "unique": {"mode": UniqueMode.WHILE_ACTIVE.value, "key": unique} if unique else None,
    }
    given = {name: value for name, value in options.items() if value is not None}
    stay = Stay(follow=follow, wait=wait or wait_limit is not None, limit=wait_limit, as_json=as_json)
    target = find_target(url)
    raise typer.Exit(asyncio.run(_submit(target, kind, pairs or [], payload, given, idempotency_key, stay)))


async def _submit(
    target: Target,
    kind: str,
    pairs: list[str],
    payload: str | None,
    options: dict[str, Any],
    idempotency_key: str | None,
    stay: Stay,
) -> ExitCode:
    async with ApiClient(target) as client:
        fields = read_payload(payload) if payload is not None else {}
        if pairs:
            fields |= read_pairs(pairs, kind, await _schema_of(client, kind))
        job = await client.submit({"kind": kind, "payload": fields, **options}, idempotency_key=idempotency_key)
        if stay.follow or stay.wait:
            return await stay_with(client, job["id"], stay)
    if stay.as_json:
        print_json(job)
        return ExitCode.OK
    answer_console().print(job["id"])
    error_console().print(f"Watch it with: {command_name()} jobs watch {job['id']}", style="dim")
    return ExitCode.OK


async def _schema_of(client: ApiClient, kind: str) -> dict[str, Any]:
    kinds = {each["name"]: each for each in await client.kinds()}
    if kind not in kinds:
        raise CommandError(f"There is no job kind {kind!r}; the kinds are {', '.join(kinds)}.")
    return dict(kinds[kind]["payload"])
