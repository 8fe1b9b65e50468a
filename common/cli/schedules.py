"""`letuin schedules`: jobs that come back, from the command line."""

from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from common.cli.api_client import ApiClient
from common.cli.asking import ask
from common.cli.duration import parse_duration
from common.cli.exits import CommandError
from common.cli.options import JsonOption, UrlOption
from common.cli.output import answer_console, error_console, print_json, printable
from common.cli.payload import read_pairs, read_payload

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Make schedules, look at them and steer them.")
ScheduleId = Annotated[str, typer.Argument(metavar="ID", help="The schedule's id.")]
CountOption = Annotated[int, typer.Option(min=1, max=100, help="How many.")]


@app.command()
def create(
    kind: Annotated[str, typer.Argument(help="The job kind; `letuin jobs kinds` lists them.")],
    name: Annotated[str, typer.Option(help="What you call it.")],
    cron: Annotated[str | None, typer.Option(help="Five fields, or an alias like @daily.")] = None,
    every: Annotated[
        float | None, typer.Option(parser=parse_duration, metavar="DURATION", help="The time between two slots.")
    ] = None,
    at: Annotated[str | None, typer.Option(metavar="MOMENT", help="Once, as 2030-01-31T09:00:00+09:00.")] = None,
    timezone: Annotated[str, typer.Option(help="The zone of cron's times.")] = "UTC",
    pairs: Annotated[
        list[str] | None, typer.Option("--param", "-p", metavar="KEY=VALUE", help="One field of the payload.")
    ] = None,
    payload: Annotated[
        str | None, typer.Option(metavar="JSON|@FILE|-", help="The payload as JSON, from a file, or from stdin.")
    ] = None,
    overlap: Annotated[str | None, typer.Option(help="skip, buffer_one, cancel_other or allow.")] = None,
    catch_up: Annotated[str | None, typer.Option(help="fire_once, fire_all or skip.")] = None,
    as_json: JsonOption = False,
    url: UrlOption = None,
) -> None:
    """Add a schedule; one of --cron, --every and --at says when."""
    given = {"cron": cron, "interval": every, "run_at": at, "overlap": overlap, "catch_up": catch_up}
    body = {"kind": kind, "name": name, "timezone": timezone, **{k: v for k, v in given.items() if v is not None}}

    async def run(client: ApiClient) -> dict[str, Any]:
        fields = read_payload(payload) if payload is not None else {}
        if pairs:
            kinds = {each["name"]: each for each in await client.kinds()}
            if kind not in kinds:
                raise CommandError(f"There is no job kind {kind!r}; the kinds are {', '.join(kinds)}.")
            fields |= read_pairs(pairs, kind, dict(kinds[kind]["payload"]))
        return await client.post("/schedules", body={**body, "payload": fields})

    made = ask(url, run)
    if as_json:
        print_json(made)
        return
    answer_console().print(made["id"])
    error_console().print(f"Next slot: {made['next_run_at']}", style="dim")


@app.command("list")
def list_schedules(as_json: JsonOption = False, url: UrlOption = None) -> None:
    """List your schedules, the newest first."""
    page = ask(url, lambda client: client.get("/schedules"))
    if as_json:
        print_json(page)
    elif page["items"]:
        rows = [{**each, "when": _when(each)} for each in page["items"]]
        _print_table(rows, ("id", "name", "kind", "when", "status", "next_run_at"))
    else:
        error_console().print("No schedules yet.")


@app.command()
def show(schedule_id: ScheduleId, as_json: JsonOption = False, url: UrlOption = None) -> None:
    """Show one schedule."""
    found = ask(url, lambda client: client.get("/schedules", schedule_id))
    if as_json:
        print_json(found)
        return
    table = Table.grid(padding=(0, 2))
    for key, value in found.items():
        if value not in (None, [], {}):
            table.add_row(f"[bold]{key}[/]", _text(value))
    answer_console().print(table)


@app.command()
def preview(
    schedule_id: ScheduleId, count: CountOption = 5, as_json: JsonOption = False, url: UrlOption = None
) -> None:
    """Show its next slots, in its own time zone."""
    found = ask(url, lambda client: client.get("/schedules", schedule_id, "preview", params={"count": count}))
    if as_json:
        print_json(found)
        return
    for item in found["items"]:
        answer_console().print(_text(item["local"]))


@app.command()
def firings(
    schedule_id: ScheduleId, count: CountOption = 20, as_json: JsonOption = False, url: UrlOption = None
) -> None:
    """Show what its slots did, the newest first."""
    found = ask(url, lambda client: client.get("/schedules", schedule_id, "firings", params={"limit": count}))
    if as_json:
        print_json(found)
        return
    rows = [{**each, "job": (each["job"] or {}).get("status")} for each in found["items"]]
    _print_table(rows, ("slot", "cause", "outcome", "lag", "job_id", "job"))


@app.command()
def pause(schedule_id: ScheduleId, as_json: JsonOption = False, url: UrlOption = None) -> None:
    """Let it fire no more until it is resumed."""
    _steer(url, schedule_id, "pause", as_json)


@app.command()
def resume(schedule_id: ScheduleId, as_json: JsonOption = False, url: UrlOption = None) -> None:
    """Let it fire again, from its next slot on."""
    _steer(url, schedule_id, "resume", as_json)


@app.command("run-now")
def run_now(schedule_id: ScheduleId, as_json: JsonOption = False, url: UrlOption = None) -> None:
    """Submit its job at once; prints the job's id. While the job before runs, the overlap of the schedule counts."""
    fired = ask(url, lambda client: client.post("/schedules", schedule_id, "run-now"))
    if as_json:
        print_json(fired)
    else:
        answer_console().print(fired["job_id"] or fired["detail"])


@app.command()
def backfill(
    schedule_id: ScheduleId,
    start: Annotated[str, typer.Argument(metavar="START", help="From this moment, as 2030-01-31T09:00:00Z.")],
    end: Annotated[str, typer.Argument(metavar="END", help="Until before this moment.")],
    as_json: JsonOption = False,
    url: UrlOption = None,
) -> None:
    """Fire the past slots of a window that have not fired."""
    window = {"start": start, "end": end}
    found = ask(url, lambda client: client.post("/schedules", schedule_id, "backfill", body=window))
    if as_json:
        print_json(found)
    else:
        error_console().print(f"Fired {len(found['items'])} slots.")


@app.command()
def delete(schedule_id: ScheduleId, as_json: JsonOption = False, url: UrlOption = None) -> None:
    """Remove a schedule and its history; its jobs stay."""
    ask(url, lambda client: client.delete("/schedules", schedule_id))
    if as_json:
        print_json({"id": schedule_id, "is_removed": True})
        return
    error_console().print(f"Removed schedule {schedule_id}.", markup=False)


def _steer(url: str | None, schedule_id: str, action: str, as_json: bool) -> None:
    found = ask(url, lambda client: client.post("/schedules", schedule_id, action))
    if as_json:
        print_json(found)
    else:
        error_console().print(f"Schedule {found['id']} is {found['status']}.")


def _when(schedule: dict[str, Any]) -> str:
    if schedule["cron"] is not None:
        return f"{schedule['cron']} {schedule['timezone']}"
    return f"every {schedule['interval']:g} s" if schedule["interval"] is not None else f"at {schedule['run_at']}"


def _print_table(rows: list[dict[str, Any]], names: tuple[str, ...]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        table.add_column(name, no_wrap=name.endswith("id"), overflow="fold")
    for row in rows:
        table.add_row(*("" if row[name] is None else _text(row[name]) for name in names))
    answer_console().print(table)


def _text(value: object) -> str:
    return escape(printable(str(value)))
