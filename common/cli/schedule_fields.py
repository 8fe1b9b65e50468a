"""What `letuin schedules create` and `update` take, and what that means to the api."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import typer

from common.cli.api_client import ApiClient
from common.cli.duration import parse_duration
from common.cli.exits import CommandError
from common.cli.moment import parse_moment
from common.cli.payload import read_pairs, read_payload
from common.queue.options import Notify

NONE = "none"
_MOMENT = "MOMENT"
_TIMES = ("run_at", "starts_at", "ends_at")

CronOption = Annotated[str | None, typer.Option(help="Five fields, or an alias like @daily.")]
EveryOption = Annotated[
    float | None, typer.Option(parser=parse_duration, metavar="DURATION", help="The time between two slots.")
]
AtOption = Annotated[str | None, typer.Option(metavar=_MOMENT, help="Once, as 2030-01-31T09:00.")]
TimezoneOption = Annotated[
    str | None, typer.Option(help="The zone of cron's times and of moments without one. Default: UTC.")
]
StartsOption = Annotated[str | None, typer.Option(metavar=_MOMENT, help="No slot before this.")]
EndsOption = Annotated[str | None, typer.Option(metavar=_MOMENT, help="No slot after this.")]
JitterOption = Annotated[
    float | None, typer.Option(parser=parse_duration, metavar="DURATION", help="Start each slot up to this later.")
]
OverlapOption = Annotated[
    Literal["skip", "buffer_one", "cancel_other", "allow"] | None,
    typer.Option(help="While the job before has not ended. Default: skip."),
]
CatchUpOption = Annotated[
    Literal["fire_once", "fire_all", "skip"] | None,
    typer.Option(help="For slots that came while nothing could fire. Default: fire_once."),
]
WindowOption = Annotated[
    float | None,
    typer.Option(parser=parse_duration, metavar="DURATION", help="Slots that are older are never fired. Default: 1d."),
]
PairsOption = Annotated[
    list[str] | None, typer.Option("--param", "-p", metavar="KEY=VALUE", help="One field of the payload.")
]
PayloadOption = Annotated[
    str | None, typer.Option(metavar="JSON|@FILE|-", help="The payload as JSON, from a file, or from stdin.")
]
NotifyOption = Annotated[Notify | None, typer.Option(help="Mail you when a job ends like this.")]
PriorityOption = Annotated[int | None, typer.Option(min=-100, max=100, help="A head start of its jobs, in minutes.")]
TagsOption = Annotated[list[str] | None, typer.Option("--tag", help="A word to find its jobs by; repeatable.")]
AttemptsOption = Annotated[int | None, typer.Option(min=1, help="How often to try each job.")]
TimeoutOption = Annotated[
    float | None, typer.Option(parser=parse_duration, metavar="DURATION", help="Limit of one attempt.")
]
ExpiresOption = Annotated[
    float | None, typer.Option(parser=parse_duration, metavar="DURATION", help="Give a job up if not started by then.")
]


def fields_of(given: Mapping[str, Any], zone: str) -> dict[str, Any]:
    """The options that were given, as fields of the request; `none` takes a moment away. Raises CommandError."""
    fields = {name: value for name, value in given.items() if value not in (None, [])}
    for name in _TIMES:
        if name in fields:
            option = {"run_at": "--at"}.get(name, f"--{name.replace('_', '-')}")
            fields[name] = None if fields[name] == NONE else parse_moment(option, fields[name], zone)
    if "notify" in fields:
        fields["notify"] = str(fields["notify"])
    return fields


async def payload_of(client: ApiClient, kind: str, pairs: list[str] | None, payload: str | None) -> dict[str, Any]:
    """The payload that --payload and -p make together. Raises CommandError."""
    fields = read_payload(payload) if payload is not None else {}
    if pairs:
        kinds = {each["name"]: each for each in await client.kinds()}
        if kind not in kinds:
            raise CommandError(f"There is no job kind {kind!r}; the kinds are {', '.join(kinds)}.")
        fields |= read_pairs(pairs, kind, dict(kinds[kind]["payload"]))
    return fields
