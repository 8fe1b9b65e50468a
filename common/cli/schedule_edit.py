"""`letuin schedules create` and `update`: the same options, all of them for the one and some for the other."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from common.cli.api_client import ApiClient
from common.cli.asking import ask
from common.cli.exits import CommandError
from common.cli.moment import show_moment
from common.cli.options import JsonOption, UrlOption
from common.cli.output import answer_console, error_console, print_json
from common.cli.schedule_fields import (
    AtOption,
    AttemptsOption,
    CatchUpOption,
    CronOption,
    EndsOption,
    EveryOption,
    ExpiresOption,
    JitterOption,
    NotifyOption,
    OverlapOption,
    PairsOption,
    PayloadOption,
    PriorityOption,
    StartsOption,
    TagsOption,
    TimeoutOption,
    TimezoneOption,
    WindowOption,
    fields_of,
    payload_of,
)

ScheduleId = Annotated[str, typer.Argument(metavar="ID", help="The schedule's id.")]


def create(
    kind: Annotated[str, typer.Argument(help="The job kind; `letuin jobs kinds` lists them.")],
    name: Annotated[str, typer.Option(help="What you call it.")],
    cron: CronOption = None,
    every: EveryOption = None,
    at: AtOption = None,
    timezone: TimezoneOption = None,
    pairs: PairsOption = None,
    payload: PayloadOption = None,
    overlap: OverlapOption = None,
    catch_up: CatchUpOption = None,
    catch_up_window: WindowOption = None,
    starts_at: StartsOption = None,
    ends_at: EndsOption = None,
    jitter: JitterOption = None,
    notify: NotifyOption = None,
    priority: PriorityOption = None,
    tags: TagsOption = None,
    max_attempts: AttemptsOption = None,
    timeout: TimeoutOption = None,
    expires_in: ExpiresOption = None,
    paused: Annotated[bool, typer.Option("--paused", help="Do not fire before it is resumed.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Add nothing; check it and show its next slots.")] = False,
    as_json: JsonOption = False,
    url: UrlOption = None,
) -> None:
    """Add a schedule; one of --cron, --every and --at says when.

    Moments read 2030-01-31, 2030-01-31T09:00 or with an offset; durations 90, 90s, 5m, 2h or 1d.
    """
    given = {
        "cron": cron,
        "interval": every,
        "run_at": at,
        "timezone": timezone,
        "overlap": overlap,
        "catch_up": catch_up,
        "catch_up_window": catch_up_window,
        "starts_at": starts_at,
        "ends_at": ends_at,
        "jitter": jitter,
        "notify": notify,
        "priority": priority,
        "tags": tags,
        "max_attempts": max_attempts,
        "timeout": timeout,
        "expires_in": expires_in,
        "paused": paused or None,
    }
    if sum(each is not None for each in (cron, every, at)) != 1:
        raise CommandError('Give one of --cron "0 9 * * *", --every 5m and --at 2030-01-31T09:00.')
    body = {"kind": kind, "name": name, **fields_of(given, timezone or "UTC")}

    async def run(client: ApiClient) -> dict[str, Any]:
        whole = {**body, "payload": await payload_of(client, kind, pairs, payload)}
        return await client.post("/schedules", *(["preview"] if dry_run else []), body=whole)

    made = ask(url, run)
    if as_json:
        print_json(made)
    elif dry_run:
        print_slots(made["items"])
    else:
        answer_console().print(made["id"])
        _say_next(made)


def update(
    schedule_id: ScheduleId,
    name: Annotated[str | None, typer.Option(help="What you call it.")] = None,
    cron: CronOption = None,
    every: EveryOption = None,
    at: AtOption = None,
    timezone: TimezoneOption = None,
    pairs: PairsOption = None,
    payload: PayloadOption = None,
    overlap: OverlapOption = None,
    catch_up: CatchUpOption = None,
    catch_up_window: WindowOption = None,
    starts_at: StartsOption = None,
    ends_at: EndsOption = None,
    jitter: JitterOption = None,
    notify: NotifyOption = None,
    priority: PriorityOption = None,
    tags: TagsOption = None,
    max_attempts: AttemptsOption = None,
    timeout: TimeoutOption = None,
    expires_in: ExpiresOption = None,
    as_json: JsonOption = False,
    url: UrlOption = None,
) -> None:
    """Change what is given and keep the rest; `none` takes --starts-at or --ends-at away.

    The next slot is computed anew from now on; slots that have fired stay as they are.
    """
    given = {
        "name": name,
        "cron": cron,
        "interval": every,
        "run_at": at,
        "timezone": timezone,
        "overlap": overlap,
        "catch_up": catch_up,
        "catch_up_window": catch_up_window,
        "starts_at": starts_at,
        "ends_at": ends_at,
        "jitter": jitter,
        "notify": notify,
        "priority": priority,
        "tags": tags,
        "max_attempts": max_attempts,
        "timeout": timeout,
        "expires_in": expires_in,
    }

    async def run(client: ApiClient) -> dict[str, Any]:
        before = await client.get("/schedules", schedule_id)
        body = fields_of(given, timezone or before["timezone"])
        if pairs or payload is not None:
            kept = {} if payload is not None else before["payload"]
            body["payload"] = {**kept, **await payload_of(client, before["kind"], pairs, payload)}
        if not body:
            raise CommandError("Nothing to change was given; see --help.")
        return await client.patch("/schedules", schedule_id, body=body)

    changed = ask(url, run)
    if as_json:
        print_json(changed)
    else:
        _say_next(changed)


def print_slots(slots: Sequence[dict[str, Any]]) -> None:
    """One slot a line, in the schedule's zone."""
    for slot in slots:
        answer_console().print(slot["local"], markup=False)
    if not slots:
        error_console().print("No slot is left.")


def _say_next(schedule: dict[str, Any]) -> None:
    slot = show_moment(schedule["next_run_at"], schedule["timezone"])
    error_console().print(f"Next slot: {slot}" if slot else f"No slot comes: it is {schedule['status']}.", style="dim")
