"""`letuin schedules`: jobs that come back, from the command line."""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import typer

from common.cli.api_client import ApiClient
from common.cli.asking import ask
from common.cli.batches import counting_bar
from common.cli.exits import ExitCode
from common.cli.moment import parse_moment, show_moment
from common.cli.options import JsonOption, UrlOption
from common.cli.output import answer_console, error_console, print_json
from common.cli.schedule_edit import ScheduleId, create, print_slots, update
from common.cli.schedule_fields import OverlapOption
from common.cli.schedule_view import firing_table, schedule_details, schedule_table

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Make schedules, look at them and steer them.")
CountOption = Annotated[int, typer.Option(min=1, max=100, help="How many.")]
_LONG_POLL = 10.0
app.command()(create)
app.command()(update)


@app.command("list")
def list_schedules(
    status: Annotated[
        Literal["active", "paused", "disabled", "ended"] | None, typer.Option(help="Only those in this state.")
    ] = None,
    everybody: Annotated[
        bool, typer.Option("--everybody", help="Of your whole tenant, the system's too; for operators.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 50,
    as_json: JsonOption = False,
    url: UrlOption = None,
) -> None:
    """List your schedules, the newest first."""

    async def run(client: ApiClient) -> dict[str, Any]:
        asked: dict[str, Any] = {"limit": min(limit, 50), "everybody": everybody}
        asked |= {"status": status} if status else {}
        page = await client.get("/schedules", params=asked)
        items = list(page["items"])
        while page["next_cursor"] and len(items) < limit:
            page = await client.get("/schedules", params={**asked, "cursor": page["next_cursor"]})
            items += page["items"]
        return {"items": items[:limit], "next_cursor": page["next_cursor"]}

    found = ask(url, run)
    if as_json:
        print_json(found)
    elif found["items"]:
        answer_console().print(schedule_table(found["items"]))
        if found["next_cursor"]:
            error_console().print("There are more; --limit shows them.", style="dim")
    else:
        error_console().print("No schedules yet." if status is None else f"No schedule is {status}.")


@app.command()
def show(schedule_id: ScheduleId, as_json: JsonOption = False, url: UrlOption = None) -> None:
    """Show one schedule, its times in its own zone."""
    found = ask(url, lambda client: client.get("/schedules", schedule_id))
    if as_json:
        print_json(found)
    else:
        answer_console().print(schedule_details(found))


@app.command()
def preview(
    schedule_id: ScheduleId, count: CountOption = 5, as_json: JsonOption = False, url: UrlOption = None
) -> None:
    """Show its next slots, in its own time zone."""
    found = ask(url, lambda client: client.get("/schedules", schedule_id, "preview", params={"count": count}))
    if as_json:
        print_json(found)
    else:
        print_slots(found["items"])


@app.command()
def firings(
    schedule_id: ScheduleId, count: CountOption = 20, as_json: JsonOption = False, url: UrlOption = None
) -> None:
    """Show what its slots did, the newest first."""

    async def run(client: ApiClient) -> tuple[dict[str, Any], str]:
        found = await client.get("/schedules", schedule_id, "firings", params={"limit": count})
        zone = "UTC" if as_json else (await client.get("/schedules", schedule_id))["timezone"]
        return found, zone

    found, zone = ask(url, run)
    if as_json:
        print_json(found)
    elif found["items"]:
        answer_console().print(firing_table(found["items"], zone))
    else:
        error_console().print("No slot has come yet.")


@app.command()
def pause(schedule_id: ScheduleId, as_json: JsonOption = False, url: UrlOption = None) -> None:
    """Let it fire no more until it is resumed."""
    _steer(url, schedule_id, "pause", as_json)


@app.command()
def resume(schedule_id: ScheduleId, as_json: JsonOption = False, url: UrlOption = None) -> None:
    """Let it fire again, from its next slot on."""
    _steer(url, schedule_id, "resume", as_json)


@app.command("run-now")
def run_now(
    schedule_id: ScheduleId, overlap: OverlapOption = None, as_json: JsonOption = False, url: UrlOption = None
) -> None:
    """Submit its job at once; prints the job's id. While the job before runs, the overlap counts, given or its own."""
    params = {"overlap": overlap} if overlap else None
    fired = ask(url, lambda client: client.post("/schedules", schedule_id, "run-now", params=params))
    if as_json:
        print_json(fired)
    else:
        answer_console().print(fired["job_id"] or fired["detail"])


@app.command()
def backfill(
    schedule_id: ScheduleId,
    start: Annotated[str, typer.Argument(metavar="START", help="From this moment, as 2030-01-31 or 2030-01-31T09:00.")],
    end: Annotated[str, typer.Argument(metavar="END", help="Until before this moment.")],
    wait: Annotated[bool, typer.Option("--wait", "-w", help="Stay until every job of them has ended.")] = False,
    as_json: JsonOption = False,
    url: UrlOption = None,
) -> None:
    """Fire the past slots of a window that have not fired. Moments without an offset are in the schedule's zone.

    With --wait the exit code is 1 when one of the jobs did not succeed.
    """

    async def run(client: ApiClient) -> ExitCode:
        zone = (await client.get("/schedules", schedule_id))["timezone"]
        window = {"start": parse_moment("START", start, zone), "end": parse_moment("END", end, zone)}
        found = await client.post("/schedules", schedule_id, "backfill", body=window)
        if as_json:
            print_json(found)
        else:
            error_console().print(_count(len(found["items"])))
        return await _see_ended(client, found["items"]) if wait else ExitCode.OK

    raise typer.Exit(ask(url, run))


@app.command()
def delete(schedule_id: ScheduleId, as_json: JsonOption = False, url: UrlOption = None) -> None:
    """Remove a schedule and its history; its jobs stay."""
    ask(url, lambda client: client.delete("/schedules", schedule_id))
    if as_json:
        print_json({"id": schedule_id, "is_removed": True})
        return
    error_console().print(f"Removed schedule {schedule_id}.", markup=False)


async def _see_ended(client: ApiClient, firings: Sequence[dict[str, Any]]) -> ExitCode:
    counts = Counter[str]()
    with counting_bar() as bar:
        shown = bar.add_task("running", total=len(firings))
        for each in firings:
            job = await client.job(each["job_id"])
            while job["finished_at"] is None:
                job = await client.job(each["job_id"], wait=_LONG_POLL)
            counts[job["status"]] += 1
            bar.advance(shown)
    if firings:
        said = ", ".join(f"{count} {status}" for status, count in counts.items())
        error_console().print(f"All of them have ended: {said}.")
    return ExitCode.OK if counts["succeeded"] == len(firings) else ExitCode.FAILED


def _count(fired: int) -> str:
    if not fired:
        return "Fired nothing: no slot of the window is left that has not fired."
    return f"Fired {fired} slot{'s' if fired > 1 else ''}; `letuin schedules firings` shows them."


def _steer(url: str | None, schedule_id: str, action: str, as_json: bool) -> None:
    found = ask(url, lambda client: client.post("/schedules", schedule_id, action))
    if as_json:
        print_json(found)
        return
    slot = show_moment(found["next_run_at"], found["timezone"])
    after = f"; next slot {slot}" if slot else ""
    error_console().print(f"Schedule {found['id']} is {found['status']}{after}.")
