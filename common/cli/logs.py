"""`letuin logs`: requests that the api answered, and calls of models that jobs made."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.table import Table

from common.cli.asking import ask
from common.cli.cells import age, cell, column_table
from common.cli.options import JsonOption, UrlOption
from common.cli.output import answer_console, error_console, print_json

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Look at requests and at calls of models. Your own, for operators all of the tenant's.",
)

SinceOption = Annotated[
    str | None, typer.Option(metavar="TIME", help="As 2030-01-31T09:00:00Z. Default: an hour before --until.")
]
UntilOption = Annotated[str | None, typer.Option(metavar="TIME", help="Default: now.")]
LimitOption = Annotated[int | None, typer.Option(min=1, help="How many, the newest first.")]


@app.command()
def requests(
    request_id: Annotated[str | None, typer.Option("--id", help="Only this id's, whenever they were.")] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    limit: LimitOption = None,
    as_json: JsonOption = False,
    url: UrlOption = None,
) -> None:
    """List requests that the api answered, newest first."""
    params = _given(request_id=request_id, since=since, until=until, limit=limit)
    found = ask(url, lambda client: client.get("/logs", params=params))
    _show(found, _requests_table(found["items"]), as_json=as_json, nothing="No requests in this time.")


@app.command()
def calls(
    job: Annotated[str | None, typer.Option(metavar="ID", help="Only this job's, whenever they were.")] = None,
    model: Annotated[str | None, typer.Option(help="Only this model's.")] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    limit: LimitOption = None,
    as_json: JsonOption = False,
    url: UrlOption = None,
) -> None:
    """List calls of models, newest first; kept where LLM_CALL_LOG is on."""
    params = _given(job_id=job, model=model, since=since, until=until, limit=limit)
    found = ask(url, lambda client: client.get("/llm-calls", params=params))
    _show(found, _calls_table(found["items"]), as_json=as_json, nothing="No calls of models in this time.")


def _given(**params: object) -> dict[str, object]:
    return {name: value for name, value in params.items() if value is not None}


def _show(found: Mapping[str, Any], table: Table, *, as_json: bool, nothing: str) -> None:
    if as_json:
        print_json(found)
    elif found["items"]:
        answer_console().print(table)
    else:
        error_console().print(nothing)


def _requests_table(items: list[dict[str, Any]]) -> Table:
    table = column_table("ago", "method", "path", "status", "ms", "error", "request")
    for each in items:
        figures = (str(each["status"]), f"{each['duration_ms']:.1f}", each["error_code"] or "")
        table.add_row(age(each["ts"]), each["method"], cell(each["path"]), *figures, cell(each["request_id"]))
    return table


def _calls_table(items: list[dict[str, Any]]) -> Table:
    table = column_table("ago", "model", "outcome", "ms", "input", "output", "cost", "job")
    for each in items:
        tokens = (str(each["input_tokens"]), str(each["output_tokens"]), f"{each['cost_usd']:.6f}")
        row = (cell(each["model"]), cell(each["outcome"]), f"{each['duration_ms']:.0f}", *tokens)
        table.add_row(age(each["ts"]), *row, each["job_id"] or "")
    return table
